"""One writer per folder: a lock that the kernel holds as long as the process lives.

The lock file names its holder, so that a second process can say who is in the way. It is never deleted:
a name that comes and goes would let two processes lock two different files.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path


class InUse(Exception):
    """Another process holds the lock. Stop and name it."""

    def __init__(self, path: Path, process: int | None) -> None:
        self.path = path
        self.process = process
        """Its number, as far as it is known."""
        super().__init__(f"{path} is held by process {process or 'unknown'}")


class Lock:
    """A lock, taken. The process's end gives it back, kill -9 included."""

    def __init__(self, path: Path) -> None:
        """Take it; raises `InUse`, and OSError when the file cannot be made."""
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(os.pread(self._file, 100, 0))
            os.close(self._file)
            raise InUse(path, holder) from None
        except BaseException:
            os.close(self._file)
            raise
        self._name([os.getpid()])

    def share(self, process: int) -> None:
        """`process` has inherited `file`: the lock lasts as long as either of the two."""
        self._name([os.getpid(), process])

    @property
    def file(self) -> int:
        """The descriptor, for a child that is to hold the lock too."""
        return self._file

    def release(self) -> None:
        """Give it back now, as far as this process holds it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _name(self, processes: list[int]) -> None:
        with suppress(OSError):  # on a full disk nobody can be named; the lock holds all the same
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, " ".join(map(str, processes)).encode(), 0)


def is_held(path: Path) -> bool:
    """Whether a process holds the lock now."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def _holder(written: bytes) -> int | None:
    """The first process named in a lock file that is still there."""
    for word in written.split():
        if word.isdigit() and Path(f"/proc/{word.decode()}").exists():
            return int(word)
    return None
