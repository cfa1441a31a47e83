"""Disk kept back for alarms: a file of real bytes beside the outbox, given up when the disk is full.

A promise of free space is worth nothing on a disk that other programs fill; a file that exists is. While it
is gone telemetry stays out, so what it made room for is for alarms, and for what empties the outbox.
"""

import logging
import os
from contextlib import suppress
from pathlib import Path

log = logging.getLogger("edge.reserve")


class Reserve:
    """The file `path` of `size` bytes; with size 0 there is none, and none is missed."""

    def __init__(self, path: Path, size: int) -> None:
        self.size = size
        self._path = path
        with suppress(OSError):
            self.held = path.stat().st_blocks * 512 >= size
            return
        self.held = size == 0

    def hold(self, free: int) -> None:
        """Make it where it is missing and twice its size is `free` on the disk."""
        if self.held or free < 2 * self.size:
            return
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, self.size)
            finally:
                os.close(descriptor)
        except OSError as error:
            log.warning("no disk can be kept back for alarms: %s", error)
            self._path.unlink(missing_ok=True)
            return
        self.held = True
        log.info("%d bytes of the disk are kept back for alarms", self.size)

    def release(self, free: int) -> bool:
        """Give it up where less than its size is `free`; whether there is more room now."""
        if not self.held or self.size == 0 or free >= self.size:
            return False
        self.held = False
        try:
            self._path.unlink()
        except OSError as error:
            log.critical("the disk is full, and what is kept back for alarms cannot be freed: %s", error)
            return False
        log.critical("the disk is full: alarms use the %d bytes that were kept back for them", self.size)
        return True
