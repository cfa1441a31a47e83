"""One run: the chosen measurements, one after the other, each in a folder that is deleted afterwards."""

import asyncio
import contextlib
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
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
        with tempfile.TemporaryDirectory(prefix=f"gridwarden-bench-{name}-") as folder, _term_is_interrupt():
            data = Path(folder) / "data"
            data.mkdir()
            sampled = Path(folder) / "profile" if profile and name == "path" else None
            if sampled is not None:
                sampled.mkdir()
            conditions = Conditions(data, seconds, lambda what, name=name: tell(name, what), sampled)  # type: ignore[misc]  # the default binds the loop's name
            before = pace()
            try:
                results.figures += asyncio.run(_measured(name, conditions))
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


@contextlib.contextmanager
def _term_is_interrupt() -> Iterator[None]:
    """SIGTERM ends a measurement as Ctrl-C does: in order."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
