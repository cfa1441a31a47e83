"""Thinning in a real outbox: what it touches, what its books say, and what kill -9 in the middle leaves."""

import itertools
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edge.outbox import Group, Limits, Outbox
from edge.outbox_rows import AHEAD
from edge.thinner import BEGIN, END, Thinner, oldest_piece
from edge.thinning import SECOND
from readings import Lane, Sample, wire

MINUTE = 60 * SECOND
START = 1_790_000_040 * SECOND  # a full minute
LIMITS = Limits(bytes=1_000_000, alarm_share=0.2, spare=0)


class Filling:
    """An outbox whose devices report once a second, by a clock that is told to go on."""

    def __init__(self, folder: Path, limits: Limits = LIMITS) -> None:
        self.outbox = Outbox(folder / "outbox.db", "e1", limits, base=0)
        self.now = START
        self.taken: list[Sample] = []
        self.worker = ThreadPoolExecutor(1)
        self.thinner = Thinner(self.outbox, self.worker, lambda: self.now)

    def take(self, seconds: int, devices: int = 20) -> None:
        for _ in range(seconds):
            samples = [
                Sample(f"rs/{n}", "temperature", 20 + (self.now // SECOND * (n + 7)) % 13, self.now)
                for n in range(devices)
            ]
            alarm = [Sample("rs/0", "smoke", True, self.now)] if self.now % MINUTE == 0 else []
            self.outbox.commit(Group({Lane.TELEMETRY: samples, Lane.ALARM: alarm}), self.now)
            self.taken += samples + alarm
            self.now += SECOND

    def waiting(self) -> list[Sample]:
        """Everything that would be sent, in its order; only looked at."""
        return waiting(self.outbox.path)

    def close(self) -> None:
        self.worker.shutdown()
        self.outbox.close()


def waiting(path: Path) -> list[Sample]:
    reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    rows = reader.execute("SELECT payload FROM batches ORDER BY lane DESC, place").fetchall()
    reader.close()
    return [sample for (payload,) in rows for sample in wire.decode_samples(payload).samples]


def books(path: Path) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]]:
    """(taken, thinned) by lane and source."""
    reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    rows = reader.execute("SELECT lane, source, samples, thinned FROM taken").fetchall()
    reader.close()
    return (
        Counter({(lane, source): n for lane, source, n, _ in rows}),
        Counter({(lane, source): n for lane, source, _, n in rows}),
    )


def balances(path: Path) -> bool:
    """Whether taken = waiting + thinned for every device, in one state of the file."""
    taken, thinned = books(path)
    there = Counter(
        ("alarm" if sample.point == "smoke" else "telemetry", sample.source) for sample in waiting(path)
    )
    return taken == there + thinned


@pytest.fixture
def filling(tmp_path: Path):
    made = Filling(tmp_path)
    yield made
    made.close()


async def test_a_nearly_full_outbox_is_thinned_oldest_first_and_keeps_what_is_newest(filling: Filling):
    while filling.outbox.fullness < BEGIN:
        filling.take(10)
    await filling.thinner.make_room()
    assert filling.outbox.fullness <= END
    assert not filling.thinner.active
    left = filling.waiting()
    # The newest part is whole, what lies before it has four samples a minute, device and point at most.
    per_minute = Counter(sample.taken // MINUTE for sample in left if sample.point == "temperature")
    first_numbered = (START + AHEAD * SECOND) // MINUTE
    by_minute = [n for minute, n in sorted(per_minute.items()) if minute > first_numbered]
    whole = [*itertools.dropwhile(lambda n: n <= 4 * 20, by_minute)]
    assert len(whole) < len(by_minute)
    assert all(n == 60 * 20 for n in whole[:-1])
    assert balances(filling.outbox.path)
    assert filling.outbox.depth[Lane.TELEMETRY].thinned == len(filling.taken) - len(left) > 0


async def test_every_minutes_extremes_are_still_there(filling: Filling):
    while filling.outbox.fullness < BEGIN:
        filling.take(10)
    await filling.thinner.make_room()
    left = filling.waiting()

    def extremes(samples: list[Sample]) -> dict[tuple[str, int], tuple[float, float, int, int]]:
        found: dict[tuple[str, int], list[Sample]] = {}
        for sample in samples:
            if sample.point == "temperature":
                found.setdefault((sample.source, sample.taken // MINUTE), []).append(sample)
        return {
            key: (
                min(float(s.value) for s in some),
                max(float(s.value) for s in some),
                min(s.taken for s in some),
                max(s.taken for s in some),
            )
            for key, some in found.items()
        }

    assert extremes(left) == extremes(filling.taken)


async def test_alarms_and_what_may_have_been_sent_are_never_touched(filling: Filling):
    while filling.outbox.fullness < BEGIN:
        filling.take(10)
    before = {lane: filling.outbox.read(lane, 0, 10_000) for lane in Lane}  # these numbers are given out
    await filling.thinner.make_room()
    assert {lane: filling.outbox.read(lane, 0, len(before[lane])) for lane in Lane} == before
    alarms = [sample for sample in filling.waiting() if sample.point == "smoke"]
    assert alarms == [sample for sample in filling.taken if sample.point == "smoke"]


async def test_when_minutes_are_not_enough_ten_minutes_and_hours_are_thinned(tmp_path: Path):
    filling = Filling(tmp_path, Limits(bytes=150_000, spare=0))
    try:
        for _ in range(150):
            filling.take(30)
            if filling.outbox.fullness > BEGIN:
                await filling.thinner.make_room()
        reader = sqlite3.connect(filling.outbox.path)
        levels = [level for (level,) in reader.execute("SELECT DISTINCT level FROM batches ORDER BY 1")]
        reader.close()
        assert levels[:3] == [0, 1, 2]
        assert balances(filling.outbox.path)
    finally:
        filling.close()


async def test_where_nothing_can_be_thinned_telemetry_is_refused_and_nothing_is_lost(filling: Filling):
    for n in itertools.count():
        filling.now += 20 * SECOND  # each device says one thing in a span
        samples = [Sample(f"rs/{n}/{m}", "t", m, filling.now) for m in range(100)]
        if not filling.outbox.has_room(Lane.TELEMETRY):
            break
        filling.outbox.commit(Group({Lane.TELEMETRY: samples}), filling.now)
        filling.taken += samples
    await filling.thinner.make_room()
    assert filling.outbox.depth[Lane.TELEMETRY].thinned == 0
    assert filling.waiting() == filling.taken
    assert filling.outbox.has_room(Lane.ALARM)


async def test_a_piece_that_got_a_number_while_it_was_thinned_stays_as_it_is(filling: Filling):
    filling.take(400)
    outbox, depth = filling.outbox, filling.outbox.depth[Lane.TELEMETRY]
    piece = oldest_piece(outbox.path, "e1", Lane.TELEMETRY, depth.numbered, filling.now)
    assert piece is not None
    assert piece.left_out
    sent = outbox.read(Lane.TELEMETRY, depth.numbered, 1)
    assert not outbox.replace(Lane.TELEMETRY, piece.places, piece.rows, piece.left_out)
    assert outbox.read(Lane.TELEMETRY, sent[0].place - sent[0].rows, 1) == sent
    assert depth.thinned == 0
    assert filling.waiting() == sorted(filling.taken, key=lambda sample: sample.point == "smoke")


async def test_a_packed_batch_keeps_its_content_over_a_restart(filling: Filling):
    filling.take(400)
    outbox, depth = filling.outbox, filling.outbox.depth[Lane.TELEMETRY]
    before = depth.numbered
    sent = outbox.read(Lane.TELEMETRY, before, 2)
    assert [batch.rows > 1 for batch in sent] == [True, True]
    filling.outbox.close()
    filling.outbox = Outbox(outbox.path, "e1", LIMITS)
    filling.thinner = Thinner(filling.outbox, filling.worker, lambda: filling.now)
    await filling.thinner.make_room()
    assert filling.outbox.read(Lane.TELEMETRY, before, 2) == sent
    assert filling.outbox.depth[Lane.TELEMETRY].seq == sent[-1].seq


THINS_FOR_EVER = """
import asyncio, sys
from pathlib import Path
from tests.edge.test_thinner import Filling
filling = Filling(Path(sys.argv[1]))
filling.now += filling.outbox.depth["telemetry"].taken // 20 * 10**9
async def work():
    while True:
        filling.take(20)
        if filling.outbox.fullness > 0.8:
            print("thinning", flush=True)
            await filling.thinner.make_room()
asyncio.run(work())
"""


@pytest.mark.parametrize("seed", range(8))
def test_kill_9_while_thinning_leaves_balanced_books(tmp_path: Path, seed: int):
    dice = random.Random(seed)
    for _ in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", THINS_FOR_EVER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        for _ in range(2):
            assert child.stdout.readline() == "thinning\n"
        time.sleep(dice.random() * 0.3)
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        assert balances(tmp_path / "outbox.db")
    thinned = books(tmp_path / "outbox.db")[1]
    assert thinned.total() > 0
