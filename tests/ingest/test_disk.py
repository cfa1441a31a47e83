"""Room on the disk: the floor, the reserve, and what people are told. The disk is made up."""

from pathlib import Path

import pytest

from chaos.small_disk import MEGABYTE, small_disk
from ingest.disk import DiskLimits, DiskState, DiskWatch, Reserve, Room, Space, space_of

LIMITS = DiskLimits(floor=100 * MEGABYTE, reserve=8 * MEGABYTE)
SIZE = 2000 * MEGABYTE


class Disks:
    """Sizes and free bytes by folder; what the reserve takes is counted."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.free: dict[Path, int] = {data: SIZE}
        self.broken: set[Path] = set()

    def __call__(self, folder: Path) -> Space:
        if folder in self.broken:
            raise OSError("not mounted")
        return Space(SIZE, self.free[folder])


@pytest.fixture
def disks(tmp_path: Path) -> Disks:
    return Disks(tmp_path)


def reserve(folder: Path) -> int:
    file = folder / "reserve"
    return file.stat().st_blocks * 512 if file.exists() else 0


def test_telemetry_waits_below_the_floor_and_goes_on_well_above_it(disks: Disks, tmp_path: Path) -> None:
    watch = DiskWatch(tmp_path, limits=LIMITS, measure=disks)
    rooms = []
    for free in (500, 101, 100, 99, 50, 99, 101, 124, 125, 110, 99):
        disks.free[tmp_path] = free * MEGABYTE
        rooms.append(watch.look().room)
    ample, alarms = Room.AMPLE, Room.ALARMS
    assert rooms == [ample, ample, ample, *[alarms] * 5, ample, ample, alarms]


def test_the_reserve_is_held_given_up_and_put_back(disks: Disks, tmp_path: Path) -> None:
    watch = DiskWatch(tmp_path, limits=LIMITS, measure=disks)
    assert watch.look().room is Room.AMPLE
    assert reserve(tmp_path) == 8 * MEGABYTE
    disks.free[tmp_path] = 50 * MEGABYTE
    assert watch.look().room is Room.ALARMS
    assert reserve(tmp_path) == 8 * MEGABYTE
    disks.free[tmp_path] = MEGABYTE
    assert watch.look().room is Room.NONE
    assert reserve(tmp_path) == 0
    disks.free[tmp_path] = 60 * MEGABYTE  # not enough to put it back
    assert watch.look().room is Room.NONE
    assert reserve(tmp_path) == 0
    disks.free[tmp_path] = 200 * MEGABYTE
    assert watch.look().room is Room.AMPLE
    assert reserve(tmp_path) == 8 * MEGABYTE


def test_the_worst_disk_counts_and_one_that_is_gone_has_no_room(disks: Disks, tmp_path: Path) -> None:
    bus = tmp_path / "nats"
    disks.free[bus] = SIZE
    watch = DiskWatch(tmp_path, [bus], LIMITS, measure=disks)
    assert watch.look().room is Room.AMPLE
    disks.free[bus] = 20 * MEGABYTE
    assert watch.look() == DiskState(str(bus), Room.ALARMS, 20 * MEGABYTE, 100 * MEGABYTE)
    disks.broken.add(bus)
    state = watch.look()
    assert (state.folder, state.room) == (str(bus), Room.NONE)


def test_a_small_disk_has_a_small_floor() -> None:
    small = Space(30 * MEGABYTE, 20 * MEGABYTE)
    assert DiskLimits().floor_of(small) == 3 * MEGABYTE
    assert DiskLimits().reserve_of(small) == small.size // 50
    assert DiskLimits().floor_of(Space(1 << 40, 0)) == 1 << 30


def test_people_are_told_what_waits_and_where_to_make_room() -> None:
    assert DiskState("/data", Room.AMPLE, 1, 2).problem is None
    low = str(DiskState("/data", Room.ALARMS, 50 * MEGABYTE, 100 * MEGABYTE).problem)
    assert low.startswith("the disk of /data is nearly full (50 MB free)")
    assert "until 125 MB" in low
    assert "reserve" in str(DiskState("/data", Room.NONE, 0, 100 * MEGABYTE).problem)


def test_on_a_real_disk_the_reserve_is_real_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 20 * MEGABYTE) as disk:
        watch = DiskWatch(disk.folder, limits=DiskLimits(floor=2 * MEGABYTE, reserve=MEGABYTE))
        assert watch.look().room is Room.AMPLE
        held = reserve(disk.folder)
        assert held >= 20 * MEGABYTE // 50
        assert space_of(disk.folder) == Space(20 * MEGABYTE, 20 * MEGABYTE - held)
        disk.fill()
        assert disk.free == 0
        assert watch.look().room is Room.NONE
        assert disk.free == held
        assert not Reserve(disk.folder / "reserve", MEGABYTE).hold()
        assert disk.free == held  # half a reserve is none
        disk.clear()
        assert watch.look().room is Room.AMPLE
