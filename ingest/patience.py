"""How the services of this room wait: for a store or a bus in trouble, or until they may go on."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeVar

import structlog

from ingest.database import StoreUnavailable
from language import Message

log = structlog.get_logger(__name__)

SLOW_SECONDS: Final = 5.0
"""An attempt that takes longer is told of, although it may still succeed."""

_LOOK_SECONDS: Final = 1.0

_Result = TypeVar("_Result")


class Waiting(Protocol):
    """Whoever waits, and why: `problem` is None when all is well."""

    problem: Message | None


class Pause:
    """Waits longer each time, never in step with others; logs the first time and when it is over."""

    def __init__(self, longest: float = 10.0) -> None:
        self._next = 0.05
        self._longest = longest
        self.told = False

    async def wait(
        self,
        doing: str,
        error: Exception,
        wanted: float | None = None,
        enough: Callable[[], bool] = lambda: False,
    ) -> None:
        """Wait once more, `wanted` seconds at least, but no longer than until `enough`."""
        if not self.told:
            log.warning("waiting", doing=doing, error=str(error))
            self.told = True
        pause = self._next * random.uniform(0.5, 1.5)  # noqa: S311 - jitter
        left = pause if wanted is None else max(wanted, pause)
        while left > 0 and not enough():
            await asyncio.sleep(min(left, _LOOK_SECONDS))
            left -= _LOOK_SECONDS
        self._next = min(self._next * 2, self._longest)


class Trouble:
    """What one of several that share a `Waiting` has to say: it takes back only its own words."""

    def __init__(self, waiting: Waiting) -> None:
        self._waiting = waiting
        self._said: Message | None = None

    def say(self, problem: Message) -> None:
        """This is why we wait."""
        self._waiting.problem = self._said = problem

    def take_back(self) -> None:
        """It is over."""
        if self._said is not None and self._waiting.problem is self._said:
            self._waiting.problem = None
        self._said = None


async def until_done(
    attempt: Callable[[], Awaitable[_Result]],
    waiting: Waiting,
    doing: str,
    *,
    slow: Message | None = None,
    enough: Callable[[], bool] = lambda: False,
) -> _Result:
    """Try until the store takes it. What is being written is held and kept alive meanwhile.

    `slow` is said when an attempt takes long; the next one comes at once when there was `enough` waiting.
    """
    trouble, pause, loop = Trouble(waiting), Pause(), asyncio.get_running_loop()
    while True:
        timer = loop.call_later(SLOW_SECONDS, trouble.say, slow) if slow is not None else None
        try:
            result = await attempt()
        except StoreUnavailable as error:
            trouble.say(error.message)
            wanted, failed = error.retry_after, error
        else:
            trouble.take_back()
            if pause.told:
                log.warning("going on", doing=doing)
            return result
        finally:
            if timer is not None:
                timer.cancel()
        await pause.wait(doing, failed, wanted, enough)


class Gate:
    """Stops loops where nothing is lost by waiting, and tells them why."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self._reason: Message | None = None

    @property
    def closed(self) -> bool:
        """Whether nobody passes."""
        return not self._open.is_set()

    def close(self, reason: Message) -> None:
        """Let nobody pass, because of `reason`; may be called again with a newer one."""
        self._reason = reason
        self._open.clear()

    def open(self) -> None:
        """Let everybody pass."""
        self._open.set()

    async def passed(self, waiting: Waiting) -> None:
        """Wait until the gate is open."""
        if not self.closed:
            return
        trouble = Trouble(waiting)
        while not self._open.is_set():
            if self._reason is not None:
                trouble.say(self._reason)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._open.wait()
        trouble.take_back()
