"""What a process writes to its log: never a reason to stop, never without bound.

A log on a full disk cannot be written, and by default that ends the very loop that wanted to say so.
"""

import os
import sys
from io import TextIOBase
from pathlib import Path
from typing import Final

LOG_BYTES: Final = 10 << 20
"""A log is begun anew when it is larger; the one before it is kept."""
_COPY: Final = 1 << 20


class PatientOutput(TextIOBase):
    """A text stream to a descriptor that passes over what cannot be written, and says later how much."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.lost = 0
        """Characters that could not be written and have not been told of yet."""

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a property in the type stubs, too, but writable
        """Always UTF-8; what cannot be encoded is escaped."""
        return "utf-8"

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether somebody reads along."""
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, text: str) -> int:
        """Write `text`, or count it as lost."""
        lost = self.lost
        note = f"({lost} characters of this log could not be written)\n" if lost else ""
        try:
            self._put((note + text).encode("utf-8", "backslashreplace"))
            self.lost = 0
        except OSError:
            self.lost += len(text)
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def _put(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._descriptor, data) :]


def never_stop_for_the_log() -> None:
    """Let this process's standard output and error be such streams."""
    sys.stdout, sys.stderr = PatientOutput(1), PatientOutput(2)


def bound(log: Path, limit: int = LOG_BYTES) -> bool:
    """Begin `log` anew if it is larger than `limit`; its last `limit` bytes are kept beside it.

    Whoever writes to it goes on writing: the file must have been opened for appending. Raises nothing:
    without room for the copy the log is begun anew all the same. True when that happened.
    """
    before = log.with_name(f"{log.name}.1")
    try:
        with log.open("r+b") as file:
            size = file.seek(0, os.SEEK_END)
            if size <= limit:
                return False
            file.seek(size - limit)
            try:
                before.unlink(missing_ok=True)
                with before.open("wb") as copy:
                    while part := file.read(_COPY):
                        copy.write(part)
            except OSError:
                before.unlink(missing_ok=True)
            file.truncate(0)
    except OSError:
        return False
    return True
