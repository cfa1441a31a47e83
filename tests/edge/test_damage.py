"""Outboxes whose file was spoilt: what can be read is saved, what was lost is told, nothing is sent twice."""

import base64
import json
import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import nats
import pytest
from paho.mqtt import publish

from edge.outbox import Group, Outbox, OutboxUnavailable, Stored
from edge.outbox_rows import AHEAD, Row
from edge.rescue import LOST_NOTE
from readings import Lane, Sample, wire
from readings.numbers import life_of
from readings.vocabulary import MALFORMED
from tests.conftest import ServerProcess, wait_until
from tests.edge.conftest import AgentProcess, Streams, wire_up

PAGE = 4096
COMMITS = AHEAD + 200


def fill(outbox: Outbox, commits: int = COMMITS, start: int = 0) -> list[Sample]:
    """Commit telemetry, and an alarm each time; every value is another."""
    taken: list[Sample] = []
    for n in range(start, start + commits):
        telemetry = [Sample(f"rs/{m}", "temperature", n * 10 + m + 0.5, n) for m in range(10)]
        alarm = [Sample("rs/0", "smoke", n, n)]
        outbox.commit(Group({Lane.TELEMETRY: telemetry, Lane.ALARM: alarm}, {"z2m": [(n, n + 1)]}), n)
        taken += telemetry + alarm
    return taken


def drain(outbox: Outbox) -> list[Stored]:
    """Send everything; the order is that of the lanes."""
    sent: list[Stored] = []
    for lane in Lane:
        while batches := outbox.read(lane, outbox.depth[lane].stored, 10):
            for batch in batches:
                outbox.stored(batch)
            sent += batches
    outbox.trim()
    return sent


def read_on(outbox: Outbox, lane: Lane, after: int) -> None:
    while batches := outbox.read(lane, after, 100):
        after = batches[-1].place


def samples(batches: list[Stored]) -> list[Sample]:
    found = [sample for batch in batches for sample in wire.decode_samples(batch.payload).samples]
    return [sample for sample in found if sample.point != MALFORMED]


def letters(batches: list[Stored]) -> list[str]:
    found = [sample for batch in batches for sample in wire.decode_samples(batch.payload).samples]
    return [base64.b64decode(str(sample.value)).decode() for sample in found if sample.point == MALFORMED]


def overwrite(path: Path, dice: random.Random, *pages: int) -> None:
    with path.open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * PAGE)
            file.write(dice.randbytes(PAGE))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "e1" / "outbox.db"


@pytest.mark.parametrize("seed", range(12))
def test_pages_spoilt_in_the_middle_cost_only_what_was_on_them(path: Path, seed: int):
    box = Outbox(path, "e1")
    taken = fill(box)
    base = box.depth[Lane.ALARM].base
    box.close()
    dice = random.Random(seed)
    pages = path.stat().st_size // PAGE
    overwrite(path, dice, *(dice.randrange(20, pages) for _ in range(3)))
    again = Outbox(path, "e1")
    sent = drain(again)
    saved = samples(sent)
    assert len(saved) == len({(s.source, s.point, s.value) for s in saved})
    lost = Counter(taken) - Counter(saved)
    assert not Counter(saved) - Counter(taken)
    assert lost.total() < len(taken) / 3
    assert again.note(LOST_NOTE) == str(lost.total())
    (letter,) = letters(sent)
    assert f"{len(saved)} samples saved, {lost.total()} lost" in letter
    assert life_of(again.depth[Lane.ALARM].base) != life_of(base)
    assert path.with_suffix(".damaged").joinpath("outbox.db").exists()
    again.close()


@pytest.mark.parametrize("pages", [1, 3, 20])
def test_a_file_that_was_cut_off_at_its_end_is_read_as_far_as_it_goes(path: Path, pages: int):
    box = Outbox(path, "e1")
    taken = fill(box)
    box.close()
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - pages * PAGE)
    again = Outbox(path, "e1")
    sent = drain(again)
    lost = Counter(taken) - Counter(samples(sent))
    assert not Counter(samples(sent)) - Counter(taken)
    assert 0 < lost.total() < len(taken) / 2
    assert again.note(LOST_NOTE) == str(lost.total())
    again.close()


@pytest.mark.parametrize("first", [bytes(PAGE), b"\xff" * PAGE, b"SQLite format 3\x00" + bytes(PAGE - 16)])
def test_without_its_first_page_everything_else_is_saved(path: Path, first: bytes):
    box = Outbox(path, "e1")
    taken = fill(box)
    box.close()
    with path.open("r+b") as file:
        file.write(first)
    again = Outbox(path, "e1")
    assert Counter(samples(drain(again))) == Counter(taken)
    assert again.keys("z2m").knows(5, 6)
    again.close()


def test_what_is_no_outbox_at_all_is_set_aside_and_work_goes_on(path: Path):
    path.parent.mkdir()
    path.write_bytes(b"a file of another kind" * 1000)
    box = Outbox(path, "e1")
    (letter,) = letters(drain(box))
    assert "an unknown number lost" in letter
    assert Counter(samples([*drain(box)])) == Counter()
    fill(box, 3)
    assert len(samples(drain(box))) == 33
    box.close()


def test_what_may_have_been_sent_is_sent_again_as_it_was_and_the_rest_under_new_numbers(path: Path):
    box = Outbox(path, "e1")
    fill(box)
    published = {
        lane: box.read(lane, box.depth[lane].base, 10_000)
        + box.read(lane, box.depth[lane].numbered, 2)  # packed
        for lane in Lane
    }
    highest = {lane: box.depth[lane].seq for lane in Lane}
    box.close()
    dice = random.Random(1)
    overwrite(path, dice, path.stat().st_size // PAGE - 3)
    again = Outbox(path, "e1")
    everything = drain(again)
    for lane in Lane:
        sent = [batch for batch in everything if batch.lane is lane]
        same = [batch for batch in sent if life_of(batch.seq) == life_of(highest[lane])]
        assert {(batch.seq, batch.payload) for batch in same} <= {
            (batch.seq, batch.payload) for batch in published[lane]
        }
        new = [batch.seq for batch in sent if batch not in same]
        assert new == [*range(again.depth[lane].base + 1, again.depth[lane].base + 1 + len(new))]
        assert len(same) > AHEAD - 20
    again.close()


@pytest.mark.parametrize("seed", range(6))
def test_a_log_that_lost_its_end_is_noticed_and_no_number_is_used_again(
    path: Path, tmp_path: Path, seed: int
):
    """Power fails, and the disk had only said that it had written."""
    box = Outbox(path, "e1")
    taken = fill(box, 60)
    used = {lane: box.depth[lane].seq for lane in Lane}
    crashed = tmp_path / "crashed"
    shutil.copytree(path.parent, crashed)  # as it lies on the disk at this moment
    box.close()
    wal = crashed / "outbox.db-wal"
    with wal.open("r+b") as file:
        file.truncate(int(wal.stat().st_size * random.Random(seed).uniform(0.2, 0.99)))
    again = Outbox(crashed / "outbox.db", "e1")
    fill(again, 5, start=1000)
    sent = drain(again)
    new = {batch.seq for batch in sent if batch.seq > used[batch.lane]} | {
        batch.seq for batch in sent if life_of(batch.seq) != life_of(used[batch.lane])
    }
    old = {batch.seq: batch for batch in sent if life_of(batch.seq) == life_of(used[batch.lane])}
    assert new
    assert all(batch.seq <= used[batch.lane] for batch in old.values())
    saved = [sample for sample in samples(sent) if sample.taken < 1000]
    lost = Counter(taken) - Counter(saved)
    assert 0 < lost.total() == len(taken) - len(saved)
    assert again.note(LOST_NOTE) == str(lost.total())
    again.close()


def test_an_older_copy_of_the_file_alone_is_noticed_too(path: Path, tmp_path: Path):
    box = Outbox(path, "e1")
    fill(box, 3)
    box.close()
    shutil.copy(path, tmp_path / "copy")
    box = Outbox(path, "e1")
    base = box.depth[Lane.ALARM].base
    fill(box, 3)
    box.close()
    shutil.copy(tmp_path / "copy", path)
    again = Outbox(path, "e1")
    assert again.depth[Lane.ALARM].base != base
    again.close()


def test_damage_that_shows_while_it_is_in_use_is_mended_while_it_is_in_use(path: Path):
    box = Outbox(path, "e1")
    taken = fill(box, 2000)
    pages = path.stat().st_size // PAGE
    overwrite(path, random.Random(3), *range(pages // 2, pages // 2 + 8))
    sent: list[Stored] = []
    refused = 0
    while any(depth.waits for depth in box.depth.values()):
        try:
            sent += drain(box)
        except OutboxUnavailable:
            refused += 1
            assert refused < 5
    assert refused > 0
    # What was sent before comes again as it was, once.
    known = {(batch.lane, batch.seq): batch.payload for batch in sent}
    assert all(known[batch.lane, batch.seq] == batch.payload for batch in sent)
    saved = samples([*{(batch.lane, batch.seq): batch for batch in sent}.values()])
    assert not Counter(saved) - Counter(taken)
    taken += fill(box, 5, start=5000)
    assert len(samples(drain(box))) == 55
    box.close()


DIES_AT = """
import os, signal, sys
from pathlib import Path
at, path, seen = int(sys.argv[1]), sys.argv[2], 0
def watch(event, arguments):
    global seen
    if event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "sqlite3.connect") or (
        event == "open" and path in str(arguments[0])
    ):
        seen += 1
        if seen == at:
            os.kill(os.getpid(), signal.SIGKILL)
from edge.outbox import Outbox
sys.addaudithook(watch)
Outbox(Path(path), "e1").close()
print("done")
"""


def test_who_asks_on_from_before_a_rescue_skips_nothing_of_what_was_saved(path: Path):
    box, lane = Outbox(path, "e1"), Lane.TELEMETRY
    taken = [Sample("rs/0", "text", f"{n} {'x' * 6000}", n) for n in range(4 * AHEAD)]
    for n in range(0, len(taken), 2):  # more than SQLite keeps in memory
        box.commit(Group({lane: taken[n : n + 2]}), n)
    first = box.depth[lane].stored
    upto = box.read(lane, box.depth[lane].numbered, 2)[-1].place  # numbered, so perhaps sent
    box.close()
    box = Outbox(path, "e1")
    pages = path.stat().st_size // PAGE
    overwrite(path, random.Random(3), *range(pages // 3, 2 * pages // 3))  # beneath its hands
    with pytest.raises(OutboxUnavailable, match=r"malformed|not what was stored"):
        read_on(box, lane, first)
    assert box.read(lane, upto, 1000) == []  # the rescue came in between: that place is no more
    assert life_of(box.depth[lane].base) != life_of(upto)
    row = Row(lane, upto + 1, None, 1, 0, 0, 0, b"")
    assert not box.replace(lane, (upto + 1, upto + 1), [row], Counter())
    assert (Counter(taken) - Counter(samples(drain(box)))).total() == box.lost > 0
    box.close()


def test_kill_9_at_any_moment_of_a_rescue_only_means_that_it_begins_again(path: Path, tmp_path: Path):
    box = Outbox(path, "e1")
    taken = fill(box)
    box.close()
    overwrite(path, random.Random(5), path.stat().st_size // PAGE // 2)
    spoilt = tmp_path / "spoilt"
    shutil.copytree(path.parent, spoilt)
    expected: Counter[Sample] | None = None
    for at in range(1, 100):
        shutil.rmtree(path.parent)
        shutil.copytree(spoilt, path.parent)
        run = subprocess.run(
            [sys.executable, "-c", DIES_AT, str(at), str(path)], capture_output=True, text=True, check=False
        )
        again = Outbox(path, "e1")
        sent = drain(again)
        again.close()
        expected = expected or Counter(samples(sent))
        assert Counter(samples(sent)) == expected, at
        assert len(letters(sent)) == 1, at
        if run.stdout == "done\n":
            break
        assert run.returncode == -9, run.stderr
    assert at > 10
    assert (Counter(taken) - expected).total() > 0


async def test_an_agent_whose_outbox_is_spoilt_under_its_hands_sends_what_is_left_and_says_what_is_not(
    site: Path,
    agents: Callable[..., AgentProcess],
    nats_server: ServerProcess,
    mosquitto_broker: ServerProcess,
) -> None:
    wire_up(
        site,
        f"- {{id: z2m, driver: zigbee2mqtt, settings: {{broker: '{mosquitto_broker.url}'}}}}",
        "t1,z2m-climate,z2m,hall\n",
    )
    agent = agents(nats_server.url)
    nats_server.kill()
    agent.start()
    wait_until(lambda: agent.subscriptions == 1, "it has subscribed")
    say(mosquitto_broker, range(2000))
    taken = "SELECT sum(samples) FROM taken WHERE source = 'z2m/hall'"
    wait_until(lambda: agent.asked(taken) == 2000, "everything is acknowledged and on disk")
    pages = agent.outbox.stat().st_size // PAGE
    overwrite(agent.outbox, random.Random(1), *range(pages // 3, pages // 3 + 5))
    nats_server.start()
    client = await nats.connect(nats_server.url)
    streams = Streams(client)
    await streams.create()
    wait_until(lambda: "samples saved" in agent.log, f"it has noticed\n{agent.log}")
    lost = int(re.search(r"(\d+) lost", agent.log)[1])  # type: ignore[index]
    say(mosquitto_broker, range(2000, 2100))
    await streams.wait_for(2100 - lost)
    values = Counter(
        int(str(sample.value).split()[0]) for sample in await streams.samples() if sample.source == "z2m/hall"
    )
    assert set(values.values()) == {1}
    assert set(range(2000, 2100)) < set(values)
    wait_until(lambda: str(lost) in agent.outbox.with_name("status.json").read_text(), "its status tells")
    assert agent.stop() == 0
    await client.close()


def say(broker: ServerProcess, numbers: range) -> None:
    publish.multiple(
        [
            {"topic": "zigbee2mqtt/hall", "payload": json.dumps({"n": f"{n} {'x' * 3000}"}), "qos": 1}
            for n in numbers
        ],
        hostname="127.0.0.1",
        port=broker.port,
    )
