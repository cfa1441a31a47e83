"""A disk of some megabytes that can be filled and emptied: a tmpfs, as limited as a memory card."""

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

MEGABYTE: Final = 1 << 20
_PAGE: Final = bytes(4096)


class NoSmallDisk(Exception):
    """This user may not mount a file system."""


class SmallDisk:
    """Mounted at `folder`; sizes in bytes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "other-programs.log"
        self._greed: tuple[threading.Thread, threading.Event] | None = None

    @property
    def free(self) -> int:
        """Bytes that can still be written."""
        return shutil.disk_usage(self.folder).free

    def fill(self, leave: int = 0) -> None:
        """As another program would: take everything but `leave` bytes."""
        with self._filler.open("ab", buffering=0) as filler, suppress(OSError):  # full to the last page
            if self.free > leave:
                os.posix_fallocate(filler.fileno(), filler.tell(), self.free - leave)
            while not leave:
                filler.write(_PAGE)

    def keep_filling(self) -> None:
        """Take every free byte, also each that gets free later, until `clear`."""
        stop = threading.Event()

        def eat() -> None:
            while not stop.wait(0.001):
                self.fill()

        thread = threading.Thread(target=eat, daemon=True)
        self._greed = thread, stop
        thread.start()

    def clear(self) -> None:
        """The other programs' files are deleted."""
        if self._greed is not None:
            thread, stop = self._greed
            stop.set()
            thread.join()
            self._greed = None
        self._filler.unlink(missing_ok=True)

    def resize(self, size: int) -> None:
        """Give the disk another size."""
        _run("mount", "-o", f"remount,size={size}", str(self.folder))


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[SmallDisk]:
    """Mount one of `size` bytes at `folder`; raises `NoSmallDisk` where neither root nor sudo can."""
    folder.mkdir(parents=True, exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", f"size={size},uid={os.getuid()}", "gridwarden", str(folder))
    disk = SmallDisk(folder)
    try:
        yield disk
    finally:
        disk.clear()
        _run("umount", "--lazy", str(folder))


def _run(*command: str) -> None:
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    done = subprocess.run([*sudo, *command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoSmallDisk(f"{' '.join(command)}: {done.stderr.strip()}")
