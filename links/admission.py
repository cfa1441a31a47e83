"""What a box and the core say to each other when the box is let in (JSON on the bus)."""

from typing import Final

import msgspec

UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises when it was something else."""


class Application(msgspec.Struct, frozen=True):
    """A box that holds an invitation asks to be known by its own key."""

    key: str
    """Public NKey."""


class Admission(msgspec.Struct, frozen=True):
    """The core's answer. `refused` empty: the box may speak for its edge from now on."""

    authority: str = ""
    """Certificate (PEM) of the authority that the box is to believe."""
    server_name: str = ""
    refused: str = ""
    """``unknown``, ``expired``, ``used``, ``invalid key``, ``key in use`` or ``unavailable``."""
