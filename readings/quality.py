"""What may be doubtful about a reading. A doubtful reading is marked and kept, never dropped."""

from enum import IntFlag


class Quality(IntFlag):
    """Marks of a reading; no mark (0) means good. Stored only when not good."""

    GOOD = 0
    OUT_OF_RANGE = 1
    """The value lies outside the plausible range of the device type."""
    NOT_A_NUMBER = 2
    """The device sent NaN or infinity: the value is unknown, the device is alive."""
    CLOCK_SUSPECT = 4
    """The device's time was implausible; `Reading.time` is the receive time instead."""
    LATE = 8
    """Older than a reading of the same series that was taken before."""
    DEVICE_FAULT = 16
    """The device itself said that this value is not to be trusted."""

    def names(self) -> tuple[str, ...]:
        """The marks as lower-case words, in a fixed order: `("out_of_range", "late")`."""
        return tuple(mark.name.lower() for mark in Quality if mark in self and mark.name and mark.value)
