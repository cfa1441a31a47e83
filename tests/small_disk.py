"""A disk of some megabytes that a test can fill, empty and enlarge: a tmpfs of its own."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

MEGABYTE = 1 << 20


@dataclass
class SmallDisk:
    """Mounted at `folder`; sizes in bytes."""

    folder: Path

    @property
    def free(self) -> int:
        """Bytes that can still be written."""
        return shutil.disk_usage(self.folder).free

    def fill(self, leave: int = 0) -> None:
        """As another program would: take everything but `leave` bytes."""
        with (self.folder / "filler").open("ab", buffering=0) as filler:
            try:
                os.posix_fallocate(filler.fileno(), filler.tell(), max(1, self.free - leave))
                while not leave:
                    filler.write(bytes(4096))
            except OSError:  # full to the last page
                pass

    def clear(self) -> None:
        """The other program gives everything back."""
        (self.folder / "filler").unlink(missing_ok=True)

    def resize(self, size: int) -> None:
        """Give the disk another size."""
        subprocess.run(["mount", "-o", f"remount,size={size}", str(self.folder)], check=True)


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[SmallDisk]:
    """Mount one at `folder`; a test that cannot is a test that fails."""
    folder.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.fail(f"this test needs root to mount a tmpfs on {folder}: {mounted.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
