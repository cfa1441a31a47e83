"""How many readings a second pass each stage: counts in slots of one second."""

from typing import Final

from readings.lanes import Lane

WINDOW_SECONDS: Final = 10
_SLOTS: Final = 16


class Rates:
    """Counts per stage and lane, and their rate over the last `WINDOW_SECONDS`."""

    def __init__(self) -> None:
        self._slots: dict[tuple[str, Lane], list[int]] = {}
        self._stamps: dict[tuple[str, Lane], list[int]] = {}
        self._totals: dict[tuple[str, Lane], int] = {}

    def count(self, stage: str, lane: Lane, readings: int, now: int) -> None:
        """`readings` passed `stage` at `now` (ns since 1970 UTC)."""
        key = (stage, lane)
        second = now // 1_000_000_000
        slots = self._slots.setdefault(key, [0] * _SLOTS)
        stamps = self._stamps.setdefault(key, [0] * _SLOTS)
        slot = second % _SLOTS
        if stamps[slot] != second:
            stamps[slot], slots[slot] = second, 0
        slots[slot] += readings
        self._totals[key] = self._totals.get(key, 0) + readings

    def per_second(self, now: int) -> dict[tuple[str, Lane], float]:
        """Readings a second, averaged over the last whole `WINDOW_SECONDS` before `now`."""
        second = now // 1_000_000_000
        return {
            key: sum(
                count
                for stamp, count in zip(self._stamps[key], slots, strict=True)
                if second - WINDOW_SECONDS <= stamp < second
            )
            / WINDOW_SECONDS
            for key, slots in self._slots.items()
        }

    def totals(self) -> dict[tuple[str, Lane], int]:
        """Readings since the start of the process."""
        return dict(self._totals)
