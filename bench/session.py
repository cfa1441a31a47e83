"""One run: the chosen measurements, one after the other, each in a folder that is deleted afterwards."""

import asyncio
import signal
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiomqtt
import httpx

from bench.figures import CannotMeasure, Conditions, Figure
from bench.measurements import MEASUREMENTS
from bench.pace import Pace, pace
from bench.profile import Profile, read_profile


@dataclass
class Results:
    """What came of a run."""

    figures: list[Figure] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    """Measurements that came to no figure, with the reason."""
    profile: Profile | None = None
    paces: dict[str, Pace] = field(default_factory=dict)
    """How fast the processor was around each measurement."""


def measure(
    names: Sequence[str], seconds: float, tell: Callable[[str, str], None], *, profile: bool
) -> Results:
    """Make the measurements `names`; `tell(name, what)` is told what is being done.

    Call from the main thread. Whatever happens (Ctrl-C included), every process ends and every file goes.
    """
    results = Results()
    for name in names:
        with (
            tempfile.TemporaryDirectory(prefix=f"gridwarden-bench-{name}-") as folder,
            _Interrupt() as interrupt,
        ):

            def step(what: str, name: str = name, interrupt: _Interrupt = interrupt) -> None:
                interrupt.check()
                tell(name, what)

            data = Path(folder) / "data"
            data.mkdir()
            sampled = Path(folder) / "profile" if profile and name == "path" else None
            if sampled is not None:
                sampled.mkdir()
            conditions = Conditions(data, seconds, step, sampled)
            before = pace()
            try:
                results.figures += asyncio.run(interrupt.watch(_measured(name, conditions)))
            except CannotMeasure as error:
                results.failed.append(f"{name}: {error}")
            results.paces[name] = Pace(before, pace())
            if sampled is not None and any(sampled.iterdir()):
                results.profile = read_profile(sampled)
    return results


async def _measured(name: str, conditions: Conditions) -> list[Figure]:
    try:
        return await MEASUREMENTS[name](conditions)
    except* (CannotMeasure, httpx.TransportError, aiomqtt.MqttError) as group:
        # the two libraries' errors: what is measured went away in the middle
        first: BaseException = group
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise CannotMeasure(str(first) or type(first).__name__) from group


class _Interrupt:
    """Ctrl-C and SIGTERM end a measurement in order.

    They cancel it, as `asyncio.run` would by itself. But a cancellation may get lost: in Python 3.11
    `asyncio.wait_for` drops one that comes together with the answer it waits for. So the measurement is asked
    again at its next step.
    """

    def __init__(self) -> None:
        self._asked = False
        self._cancel: Callable[[], object] = self.check

    async def watch(self, measurement: Coroutine[None, None, list[Figure]]) -> list[Figure]:
        """What the measurement returns; raises KeyboardInterrupt when it was interrupted."""
        loop, task = asyncio.get_running_loop(), asyncio.ensure_future(measurement)
        self._cancel = lambda: loop.call_soon_threadsafe(task.cancel)
        try:
            return await task
        except asyncio.CancelledError:
            self.check()
            raise
        finally:
            self._cancel = self.check

    def check(self) -> None:
        """Raise KeyboardInterrupt when one was asked for."""
        if self._asked:
            raise KeyboardInterrupt

    def _ask(self, _number: int, _frame: object) -> None:
        self._asked = True
        self._cancel()

    def __enter__(self) -> "_Interrupt":
        self._before = {
            number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)
        }
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
