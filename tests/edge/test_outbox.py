"""The outbox against a real file."""

import base64
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from edge.outbox import Group, Limits, Outbox, OutboxInUse, OutboxReplaced, OutboxUnavailable
from edge.outbox_rows import AHEAD
from readings import Lane, Sample, SampleBatch, wire
from readings.numbers import base_of, life_of
from readings.vocabulary import MALFORMED


def sample(source: str = "z2m/kitchen", point: str = "smoke", value: bool | str = True) -> Sample:
    return Sample(source, point, value, 1_000)


def group(alarm: int = 0, telemetry: int = 0) -> Group:
    return Group({Lane.ALARM: [sample()] * alarm, Lane.TELEMETRY: [sample(point="battery")] * telemetry})


def confirm(outbox: Outbox, lane: Lane, upto: int) -> None:
    """JetStream has the batches of `lane` up to this number."""
    for batch in outbox.read(lane, outbox.depth[lane].stored, 10_000):
        if batch.seq <= upto:
            outbox.stored(batch)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


@pytest.fixture
def outbox(path: Path):
    box = Outbox(path, "e1", base=0)
    yield box
    box.close()


def test_a_commit_gives_each_lane_its_own_numbers(outbox):
    outbox.commit(group(alarm=1), 5)
    batches = outbox.commit(group(alarm=2, telemetry=3), 6)
    assert [(batch.lane, batch.seq, batch.samples) for batch in batches] == [
        (Lane.ALARM, 2, 2),
        (Lane.TELEMETRY, 1, 3),
    ]
    decoded = wire.decode_samples(batches[0].payload)
    assert (decoded.edge, decoded.lane, decoded.seq, len(decoded.samples)) == ("e1", Lane.ALARM, 2, 2)


def test_numbers_never_start_again_after_rows_are_deleted(path):
    box = Outbox(path, "e1", base=0)
    box.commit(group(alarm=1), 5)
    confirm(box, Lane.ALARM, 1)
    box.close()
    again = Outbox(path, "e1", base=0)
    assert again.depth[Lane.ALARM].batches == 0
    assert again.read(Lane.ALARM, 0, 9) == []
    assert again.commit(group(alarm=1), 6)[0].seq == 2
    again.close()


def test_every_new_outbox_begins_to_count_elsewhere(tmp_path):
    lives, used = set(), set()
    for n in range(20):
        box = Outbox(tmp_path / str(n) / "outbox.db", "e1")
        for batch in [
            *box.commit(group(alarm=1, telemetry=1), 1),
            *box.commit(group(alarm=1, telemetry=1), 1),
        ]:
            used.add((batch.lane, batch.seq))
            lives.add((batch.lane, life_of(batch.seq)))
            assert 0 < batch.seq < 2**62
        assert all(depth.batches == 2 for depth in box.depth.values())
        assert [b.seq for b in box.read(Lane.ALARM, box.depth[Lane.ALARM].base, 9)] == [
            b.seq for b in box.recent(Lane.ALARM, box.depth[Lane.ALARM].base, 9)
        ]
        box.close()
    assert len(lives) == 40
    assert len(used) == 80


@pytest.mark.parametrize("bits", [0, 1, 2**35 - 1, 2**35, 2**61 - 1])
def test_a_life_never_runs_into_the_next(bits):
    base = base_of(bits)
    assert 0 <= base < 2**62
    assert life_of(base) == life_of(base + 2**35)
    assert life_of(base) != life_of(base + 2**36)


def test_an_outbox_that_is_replaced_under_a_running_agent_is_told_from_it(path):
    box = Outbox(path, "e1")
    box.commit(group(alarm=1), 1)
    for file in path.parent.glob("outbox.db*"):
        file.unlink()
    box._file._drop()  # as after any error of the file
    with pytest.raises(OutboxReplaced):
        box.commit(group(alarm=1), 1)
    box.close()
    Outbox(path, "e1").close()


@pytest.mark.parametrize(
    "bad",
    [
        Sample("z2m/kitchen", "smoke", 1 << 64, 1_000),
        Sample("z2m/kitchen", "smoke", -(10**5000), 1_000),
        Sample("z2m/kitchen", "smoke", "half \ud83d", 1_000),
        Sample("z2m/kit\udc00chen", "smoke", 1, 1_000),
        Sample("z2m/kitchen", "smo\udc00ke", 1, 1_000),
        Sample("z2m/kitchen", "smoke", 1, 1_000, event="\udc00"),
        Sample("z2m/kitchen", "smoke", 1, 1 << 70),
    ],
)
def test_what_the_wire_cannot_carry_becomes_a_dead_letter_in_its_place(outbox, path, bad):
    (batch,) = outbox.commit(Group({Lane.ALARM: [sample(), bad, sample()]}), 77)
    before, letter, after = wire.decode_samples(batch.payload).samples
    assert (before, after) == (sample(), sample())
    assert letter.point == MALFORMED
    assert letter.source.startswith("z2m/kit")
    assert letter.taken in (1_000, 77)
    assert len(base64.b64decode(letter.value)) <= 4096
    reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    assert reader.execute("SELECT sum(samples) FROM taken").fetchone() == (3,)
    reader.close()


def test_what_was_not_confirmed_is_there_after_a_restart_in_order(path):
    box = Outbox(path, "e1", base=0)
    for now in range(5):
        box.commit(group(telemetry=1), now)
    confirm(box, Lane.TELEMETRY, 2)
    box.close()
    again = Outbox(path, "e1", base=0)
    assert [batch.seq for batch in again.read(Lane.TELEMETRY, 0, 9)] == [3, 4, 5]
    assert again.depth[Lane.TELEMETRY].stored == 2
    assert again.oldest() == 2
    again.close()


def test_recent_batches_are_read_from_memory_without_gaps(outbox):
    for now in range(4):
        outbox.commit(group(telemetry=1), now)
    assert [batch.seq for batch in outbox.recent(Lane.TELEMETRY, 1, 2)] == [2, 3]
    confirm(outbox, Lane.TELEMETRY, 3)
    assert outbox.recent(Lane.TELEMETRY, 0, 9) == []
    assert [batch.seq for batch in outbox.recent(Lane.TELEMETRY, 3, 9)] == [4]


def test_memory_takes_no_more_than_its_part_and_the_rest_comes_from_disk(outbox):
    big = Group({Lane.TELEMETRY: [sample(value="x" * 4000)] * 60})
    for now in range(6):
        outbox.commit(big, now)
    in_memory = outbox.recent(Lane.TELEMETRY, 0, 99)
    assert 0 < len(in_memory) < 6
    assert len(outbox.read(Lane.TELEMETRY, len(in_memory), 99)) == 6 - len(in_memory)


def test_a_large_commit_is_cut_into_batches_that_a_server_takes(outbox):
    batches = outbox.commit(Group({Lane.TELEMETRY: [sample(value="x" * 4096)] * 700}), 1)
    assert sum(batch.samples for batch in batches) == 700
    assert all(len(batch.payload) <= 512 * 1024 for batch in batches)
    assert [batch.seq for batch in batches] == list(range(1, len(batches) + 1))


def test_the_books_count_what_was_taken_in_the_same_file(outbox, path):
    outbox.commit(group(alarm=2, telemetry=3), 1)
    outbox.commit(group(alarm=1), 1)
    reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    assert dict(reader.execute("SELECT lane, samples FROM taken WHERE source = 'z2m/kitchen'")) == {
        "alarm": 3,
        "telemetry": 3,
    }
    reader.close()


def test_a_second_writer_is_refused_with_the_first_ones_process(outbox, path):
    with pytest.raises(OutboxInUse, match=f"process {os.getpid()}"):
        Outbox(path, "e1", base=0)


def test_an_outbox_of_another_edge_is_refused(path):
    Outbox(path, "e1", base=0).close()
    with pytest.raises(OutboxUnavailable, match="edge is 'e1', not 'e2'"):
        Outbox(path, "e2")


def test_telemetry_is_refused_before_alarms_are(path):
    box = Outbox(path, "e1", Limits(bytes=10_000, alarm_share=0.5), base=0)
    while box.has_room(Lane.TELEMETRY):
        box.commit(group(telemetry=50), 1)
    assert box.has_room(Lane.ALARM)
    confirm(box, Lane.TELEMETRY, box.depth[Lane.TELEMETRY].seq)
    box.trim()
    assert box.has_room(Lane.TELEMETRY)
    assert box.depth[Lane.TELEMETRY].bytes == 0
    box.close()


def test_delivery_keys_survive_a_restart_and_only_their_own_message_matches(path):
    box = Outbox(path, "e1", base=0)
    box.commit(Group({Lane.ALARM: [sample()]}, {"z2m": [(7, 111), (8, 222)]}), 1)
    box.close()
    again = Outbox(path, "e1", base=0)
    keys = again.keys("z2m")
    assert keys.knows(7, 111)
    assert not keys.knows(7, 222)
    assert not again.keys("other").knows(7, 111)
    again.close()


def test_old_delivery_keys_are_forgotten_only_when_their_numbers_were_used_again(path):
    box = Outbox(path, "e1", base=0)
    box.commit(Group({}, {"quiet": [(1, 5)]}), 1)
    for start in range(0, 140_000, 20_000):
        box.commit(Group({}, {"busy": [(n & 0xFFFF, n + 1) for n in range(start, start + 20_000)]}), 1)
    box.close()
    reader = sqlite3.connect(path)
    (kept,) = reader.execute("SELECT sum(count) FROM deliveries WHERE connection = 'busy'").fetchone()
    reader.close()
    assert 65_536 <= kept <= 65_536 + 20_000
    again = Outbox(path, "e1", base=0)
    assert again.keys("quiet").knows(1, 5)
    assert all(again.keys("busy").knows(n & 0xFFFF, n + 1) for n in range(140_000 - 65_536, 140_000))
    again.close()


def test_a_full_disk_keeps_everything_for_another_attempt(path):
    box = Outbox(path, "e1", base=0)
    box.commit(group(alarm=1), 1)
    box._file._connection.execute("PRAGMA max_page_count = 1")  # the size it has now: SQLITE_FULL beyond
    big = Group({Lane.TELEMETRY: [sample(value="x" * 4000)] * 100})
    with pytest.raises(OutboxUnavailable, match="full"):
        box.commit(big, 2)
    assert box.depth[Lane.TELEMETRY].seq == 0
    assert [batch.seq for batch in box.commit(big, 3)] == [1]
    box.close()


def test_a_group_whose_commit_had_reached_the_disk_is_not_committed_twice(path):
    box = Outbox(path, "e1", base=0)
    first = group(alarm=1, telemetry=1)

    class Interrupted:
        """A connection whose COMMIT succeeds and is then reported as failed (power, NFS, a bad disk)."""

        def __init__(self, real):
            self.real = real

        def execute(self, statement, *values):
            result = self.real.execute(statement, *values)
            if statement == "COMMIT":
                raise sqlite3.OperationalError("disk I/O error")
            return result

        def __getattr__(self, name):
            return getattr(self.real, name)

    box._file._connection = Interrupted(box._file._connection)
    with pytest.raises(OutboxUnavailable):
        box.commit(first, 1)
    again = box.commit(first, 2)
    assert [(batch.lane, batch.seq) for batch in again] == [(Lane.ALARM, 1), (Lane.TELEMETRY, 1)]
    assert box.commit(group(alarm=1), 3)[0].seq == 2
    assert len(box.read(Lane.ALARM, 0, 9)) == 2
    box.close()


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutboxUnavailable, match="file"):
        Outbox(tmp_path / "file" / "outbox.db", "e1")


FORMAT_2 = """
CREATE TABLE lanes (lane TEXT PRIMARY KEY, base INTEGER NOT NULL, seq INTEGER NOT NULL,
    stored INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE batches (lane TEXT NOT NULL, seq INTEGER NOT NULL, payload BLOB NOT NULL,
    samples INTEGER NOT NULL, created INTEGER NOT NULL, PRIMARY KEY (lane, seq));
CREATE TABLE taken (lane TEXT NOT NULL, source TEXT NOT NULL, samples INTEGER NOT NULL,
    PRIMARY KEY (lane, source)) WITHOUT ROWID;
CREATE TABLE notes (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO notes VALUES ('format', '2'), ('edge', 'e1'), ('kept', 'yes');
INSERT INTO lanes VALUES ('alarm', 70, 73, 71), ('telemetry', 500, 500, 500);
INSERT INTO taken VALUES ('alarm', 'z2m/kitchen', 3);
"""


def test_an_outbox_of_the_format_before_goes_on_where_it_was(path):
    payloads = [wire.encode(SampleBatch("e1", Lane.ALARM, seq, (sample(),))) for seq in (72, 73)]
    with sqlite3.connect(path) as old:
        old.executescript(FORMAT_2)
        for seq, payload in zip((72, 73), payloads, strict=True):
            old.execute("INSERT INTO batches VALUES ('alarm', ?, ?, 1, 9)", (seq, payload))
    old.close()
    for _ in range(2):
        box = Outbox(path, "e1")
        assert box.note("kept") == "yes"
        depth = box.depth[Lane.ALARM]
        assert [(b.seq, b.payload) for b in box.read(Lane.ALARM, depth.stored, 9)][:2] == [
            (72, payloads[0]),
            (73, payloads[1]),
        ]
        box.commit(group(alarm=1), 5)
        box.close()
    again = Outbox(path, "e1")
    assert [batch.seq for batch in again.read(Lane.ALARM, 71, 9)] == [72, 73, 74, 75]
    assert again.depth[Lane.ALARM].taken == 5
    again.close()


def test_what_waits_longer_gets_its_number_when_it_is_read_in_full_batches(path):
    box = Outbox(path, "e1", base=0)
    for now in range(AHEAD + 1_200):
        box.commit(group(telemetry=1), now)
    depth = box.depth[Lane.TELEMETRY]
    assert (depth.seq, depth.batches) == (AHEAD, AHEAD + 1_200)
    box.close()
    box = Outbox(path, "e1", base=0)
    place, seqs, samples = 0, [], 0
    while batches := box.read(Lane.TELEMETRY, place, 9):
        place = batches[-1].place
        seqs += [batch.seq for batch in batches]
        samples += sum(len(wire.decode_samples(batch.payload).samples) for batch in batches)
        assert all(wire.decode_samples(batch.payload).seq == batch.seq for batch in batches)
    assert seqs == [*range(1, AHEAD + 4)]  # 500 + 500 + 200
    assert samples == AHEAD + 1_200
    confirm(box, Lane.TELEMETRY, seqs[-1])
    box.trim()
    depth = box.depth[Lane.TELEMETRY]
    assert (depth.batches, depth.bytes, depth.waits) == (0, 0, False)
    assert [batch.seq for batch in box.commit(group(telemetry=1), 1)] == [seqs[-1] + 1]
    box.close()


def test_what_little_disk_there_is_limits_telemetry_and_not_alarms(path):
    box = Outbox(path, "e1", Limits(bytes=1 << 40, spare=1 << 60))  # more than any disk has
    taken = 0
    while box.has_room(Lane.TELEMETRY):
        box.commit(Group({Lane.TELEMETRY: [sample(value="x" * 4000)] * 100}), 1)
        taken += 100 * 4000
    assert 1 << 20 < taken < 8 << 20  # a little may always wait
    assert box.has_room(Lane.ALARM)
    box.close()


def test_kill_9_between_commits_loses_nothing_that_was_reported(path):
    """A child commits, tells each number, and is killed without warning."""
    script = (
        "import sys; from pathlib import Path; from edge.outbox import *; from readings import *\n"
        f"box = Outbox(Path({str(path)!r}), 'e1', base=0)\n"
        "for n in range(10**9):\n"
        "    box.commit(Group({Lane.ALARM: [Sample('a/b', 'p', n, n)]}), n); print(n + 1, flush=True)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    told = [int(child.stdout.readline()) for _ in range(20)][-1]
    child.kill()
    told = max([told, *map(int, child.stdout.read().split("\n")[:-1])])
    child.wait()
    child.stdout.close()
    box = Outbox(path, "e1", base=0)
    seqs = [batch.seq for batch in box.read(Lane.ALARM, 0, 10**6)]
    assert seqs == list(range(1, len(seqs) + 1))
    assert len(seqs) >= told
    box.close()
