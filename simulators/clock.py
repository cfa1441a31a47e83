"""Two times of a simulator: the wall's, and the story's, which may run faster."""

import asyncio
import time


class Clock:
    """The story's time runs `speed` times as fast as the wall's; both start together."""

    def __init__(self, speed: float = 1.0) -> None:
        if not speed > 0:
            raise ValueError(f"speed must be above 0, not {speed}")
        self.speed = speed
        self._wall = time.time_ns()
        self._start = time.monotonic()

    def wall(self) -> int:
        """Nanoseconds since 1970 UTC, as everybody's clock shows."""
        return time.time_ns()

    def elapsed(self) -> float:
        """Seconds of the story since this clock was made."""
        return (time.monotonic() - self._start) * self.speed

    def story(self) -> int:
        """Nanoseconds since 1970 UTC in the story: where the sun stands, how old batteries are."""
        return self._wall + int(self.elapsed() * 1e9)

    async def until(self, elapsed: float) -> None:
        """Wait until the story has run for `elapsed` seconds."""
        # also when late: others must get their turn
        await asyncio.sleep(max(0.0, elapsed - self.elapsed()) / self.speed)
