"""How much a server takes at once, and how long it takes for it: found out by trying.

A server, or a proxy before it, may have a limit for requests that nobody told us, cut the connection instead
of saying so, or be so slow that a large request never ends. So requests get smaller when one is refused or
cut, and grow again slowly; and who answers late is given more time, up to two minutes.
"""

from typing import Final

LARGEST: Final = 8 << 20
SMALLEST: Final = 64 << 10
_GROWTH: Final = 1.02
_PATIENCE: Final = 4.0
"""The longest wait for an answer, as a multiple of the ordinary one."""


class Appetite:
    """What one server takes now. Sizes in bytes, times in seconds."""

    def __init__(self, patience: float) -> None:
        """`patience` is the ordinary wait for an answer."""
        self.bytes = LARGEST
        """The largest request that is worth trying."""
        self.patience = patience
        """How long to wait for the answer to the next request."""
        self._ordinary = patience

    def ate(self, size: int, seconds: float) -> None:
        """A request of `size` was answered after `seconds`."""
        if size > self.bytes // 2:
            self.bytes = min(LARGEST, int(self.bytes * _GROWTH))
        self.patience = min(max(self._ordinary, 2 * seconds), self._ordinary * _PATIENCE)

    def choked(self, size: int) -> None:
        """A request of `size` was refused as too large, or cut while it was under way."""
        self.bytes = max(SMALLEST, min(self.bytes, size) // 2)

    def kept_waiting(self, size: int) -> None:
        """There was no answer within `patience`."""
        self.choked(size)
        self.patience = min(self.patience * 2, self._ordinary * _PATIENCE)
