"""How much room the core's disks have, and the reserve that is kept for alarms (docs/decisions/0011).

Below the *floor* telemetry has to wait: what is left belongs to alarms and cases. When there is nothing left
all the same, because another program has taken it, the *reserve* is given up: a file of nothing that was put
there in better times.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from language import N_, Message

log = structlog.get_logger(__name__)

_AMPLE: Final = 1.25
"""Telemetry goes on when there is so many times the floor again: not to stop and go at the edge."""
_MEGABYTE: Final = 1 << 20


class Room(StrEnum):
    """What a disk has room for."""

    AMPLE = "ample"
    """Everything."""
    ALARMS = "alarms"
    """Below the floor: telemetry waits where it is."""
    NONE = "none"
    """Even the reserve had to be given up."""


class Space(NamedTuple):
    """Bytes of a file system that this user may use, and of those the free ones."""

    size: int
    free: int


@dataclass(frozen=True)
class DiskLimits:
    """What is kept free on each disk, in bytes; on a small one no more than a tenth and a fiftieth of it."""

    floor: int = 1 << 30
    reserve: int = 64 * _MEGABYTE

    def floor_of(self, disk: Space) -> int:
        """The floor of this disk."""
        return min(self.floor, disk.size // 10)

    def reserve_of(self, disk: Space) -> int:
        """The size of the reserve on this disk."""
        return min(self.reserve, disk.size // 50)


@dataclass(frozen=True)
class DiskState:
    """The disk that has the least room for its floor. Bytes."""

    folder: str = ""
    room: Room = Room.AMPLE
    free: int = 0
    floor: int = 0

    @property
    def problem(self) -> Message | None:
        """What people are told; None while there is ample room."""
        if self.room is Room.AMPLE:
            return None
        text = N_(
            "the disk of {folder} is nearly full ({free} MB free): telemetry waits until {wanted} MB are"
            " free; alarms go on. Make room"
        )
        if self.room is Room.NONE:
            text = N_(
                "the disk of {folder} is full ({free} MB free): telemetry waits until {wanted} MB are free;"
                " alarms live on their reserve. Make room at once"
            )
        return Message(
            text,
            {
                "folder": self.folder,
                "free": self.free // _MEGABYTE,
                "wanted": int(self.floor * _AMPLE) // _MEGABYTE,
            },
        )


class Reserve:
    """A file that takes room so that it can be given back. It holds nothing."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size

    @property
    def held(self) -> bool:
        """Whether it is there."""
        return self._path.exists()

    def hold(self) -> bool:
        """Put it there; False when there is no room for it."""
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(file, 0, max(1, self._size))
            finally:
                os.close(file)
        except OSError:
            self._path.unlink(missing_ok=True)
            return False
        return True

    def give_up(self) -> None:
        """Give its room to whoever needs it."""
        self._path.unlink(missing_ok=True)


class DiskWatch:
    """Looks at the disks of some folders. `look` is quick enough to be called several times a second."""

    def __init__(
        self,
        data: Path,
        others: Iterable[Path] = (),
        limits: DiskLimits | None = None,
        *,
        measure: Callable[[Path], Space] | None = None,
    ) -> None:
        """`data` is where the reserve is kept; `others` are folders whose disks count as well."""
        self._limits = limits or DiskLimits()
        self._measure = measure or space_of
        self._folders = [data, *others]
        self._reserve = Reserve(data / "reserve", self._limits.reserve_of(self._measure(data)))
        self.state = DiskState(str(data))

    @staticmethod
    def measured(data: Path, others: Iterable[Path], limits: DiskLimits) -> DiskState:
        """The state as it is, without touching the reserve."""
        return _worst([_state_of(folder, limits, space_of) for folder in (data, *others)])

    def look(self) -> DiskState:
        """Measure, give up or put back the reserve, and say what there is room for.

        A folder that cannot be measured (not mounted) has no room.
        """
        worst = _worst([_state_of(folder, self._limits, self._measure) for folder in self._folders])
        before, room = self.state.room, worst.room
        if room is Room.AMPLE and before is not Room.AMPLE and worst.free < worst.floor * _AMPLE:
            room = Room.ALARMS
        if room is Room.AMPLE and not self._reserve.held:
            self._reserve.hold()
        elif room is Room.NONE and self._reserve.held:
            log.critical("disk full: the reserve for alarms is given up", folder=worst.folder)
            self._reserve.give_up()
        elif room is Room.ALARMS and not self._reserve.held:
            room = Room.NONE
        self.state = DiskState(worst.folder, room, worst.free, worst.floor)
        return self.state


def _worst(states: list[DiskState]) -> DiskState:
    return min(states, key=lambda state: state.free / max(1, state.floor))


def _state_of(folder: Path, limits: DiskLimits, measure: Callable[[Path], Space]) -> DiskState:
    try:
        space = measure(folder)
    except OSError:
        return DiskState(str(folder), Room.NONE, 0, limits.floor)
    floor = limits.floor_of(space)
    room = Room.AMPLE
    if space.free < limits.reserve_of(space) // 4:
        room = Room.NONE
    elif space.free < floor:
        room = Room.ALARMS
    return DiskState(str(folder), room, space.free, floor)


def space_of(folder: Path) -> Space:
    """The room of the file system that `folder` is on, as far as this user may use it."""
    found = os.statvfs(folder)
    usable = found.f_blocks - found.f_bfree + found.f_bavail
    return Space(usable * found.f_frsize, found.f_bavail * found.f_frsize)
