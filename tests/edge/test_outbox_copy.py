"""What waits in an outbox, taken from a copy of it."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from edge.outbox import Group, Outbox, OutboxUnavailable
from edge.outbox_copy import waiting_batches
from edge.outbox_rows import AHEAD
from readings import Lane, Sample, wire
from readings.numbers import life_of


def take(outbox: Outbox, first: int, count: int) -> None:
    for n in range(first, first + count):
        outbox.commit(Group({lane: [Sample("z2m/a", "p", n, 1_000 + n)] for lane in Lane}), 1_000)


def copied(outbox: Outbox, folder: Path) -> Path:
    copy = folder / "copy.db"
    for end in ("", "-wal"):
        if (source := outbox.path.with_name(outbox.path.name + end)).exists():
            shutil.copy(source, f"{copy}{end}")
    return copy


def test_every_sample_once_numbered_as_sent_and_the_rest_under_numbers_nobody_uses(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db", "e1")
    take(outbox, 0, 20)
    sent = outbox.read(Lane.ALARM, outbox.depth[Lane.ALARM].stored, 8)
    for batch in sent[:5]:
        outbox.stored(batch)
    outbox.trim()
    take(outbox, 20, AHEAD + 700)  # the link is down: these wait without numbers, but for the first
    last = outbox.depth[Lane.ALARM].seq
    batches = [*waiting_batches(copied(outbox, tmp_path), "e1")]
    outbox.close()

    for lane, gone in ((Lane.ALARM, 5), (Lane.TELEMETRY, 0)):
        of_lane = [batch for batch in batches if batch.lane is lane]
        samples = [s.value for batch in of_lane for s in wire.decode_samples(batch.payload).samples]
        assert samples == [*range(gone, AHEAD + 720)]
        assert all(wire.decode_samples(batch.payload).seq == batch.seq for batch in of_lane)
    alarms = [batch.seq for batch in batches if batch.lane is Lane.ALARM]
    numbered = [seq for seq in alarms if seq <= last and life_of(seq) == life_of(last)]
    assert numbered[:3] == [batch.seq for batch in sent[5:]]
    assert len(numbered) < len(alarms)
    assert Counter(map(life_of, alarms)).keys() == {life_of(last), life_of(alarms[-1])}
    assert life_of(alarms[-1]) != life_of(last)


def test_the_outbox_itself_goes_on_under_its_own_numbers(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db", "e1")
    take(outbox, 0, AHEAD + 50)
    before = outbox.depth[Lane.ALARM].seq
    assert len([*waiting_batches(copied(outbox, tmp_path), "e1")]) > 0
    assert outbox.read(Lane.ALARM, outbox.depth[Lane.ALARM].numbered, 1)[0].seq == before + 1
    outbox.close()


def test_the_outbox_of_another_edge_is_refused(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db", "e1")
    copy = copied(outbox, tmp_path)
    outbox.close()
    with pytest.raises(OutboxUnavailable, match="its edge is 'e1'"):
        next(waiting_batches(copy, "e2"))
