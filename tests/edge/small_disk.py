"""A disk of a few megabytes that can be filled up, and a serial line whose smoke detector a test sets off."""

import os
import subprocess
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

QUIET = bytes.fromhex("FF 02 01 01 51 A0")
SMOKE = bytes.fromhex("FF 02 01 00 90 60")


class SmallDisk:
    """A tmpfs: its bytes are as limited and as real as a memory card's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "other-programs.log"
        self._greedy: threading.Event | None = None
        self._thread: threading.Thread | None = None

    @property
    def free(self) -> int:
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def fill(self) -> None:
        """Take every free byte."""
        with self._filler.open("ab", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))

    def keep_filling(self) -> None:
        """Take every free byte, also each that gets free later."""
        stop = self._greedy = threading.Event()

        def eat() -> None:
            while not stop.wait(0.001):
                self.fill()

        self._thread = threading.Thread(target=eat)
        self._thread.start()

    def clear(self) -> None:
        """The other programs' files are deleted."""
        if self._greedy is not None and self._thread is not None:
            self._greedy.set()
            self._thread.join()
            self._greedy = self._thread = None
        self._filler.unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[SmallDisk]:
    """Mount one at `folder`; needs root, or sudo that asks nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    options = f"size={megabytes}m,uid={os.getuid()}"
    subprocess.run([*sudo, "mount", "-t", "tmpfs", "-o", options, "gridwarden-test", folder], check=True)
    disk = SmallDisk(folder)
    try:
        yield disk
    finally:
        disk.clear()
        subprocess.run([*sudo, "umount", "--lazy", folder], check=True)


@contextmanager
def smoke_detector() -> Iterator[tuple[Path, threading.Event]]:
    """A Novabo detector on a pseudo-terminal: (the port, an event that sets it off).

    On its wire 1 means that all is well.
    """
    master, slave = os.openpty()
    tty.setraw(slave)
    fire, over = threading.Event(), threading.Event()

    def answer() -> None:
        while not over.is_set():
            try:
                request = os.read(master, 64)
            except OSError:
                return
            if len(request) >= 8 and not over.is_set():
                os.write(master, SMOKE if fire.is_set() else QUIET)

    line = threading.Thread(target=answer, daemon=True)
    line.start()
    try:
        yield Path(os.ttyname(slave)), fire
    finally:
        over.set()
        os.write(slave, bytes(8))  # ends the read
        line.join(5)
        os.close(master)
        os.close(slave)
