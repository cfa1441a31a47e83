"""A box without a clock battery: it starts in 1970, reads, and learns the time later, or never.

The machine's clock and its uptime are set by hand; the outbox is a real file.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edge.box_clock import PATIENCE, BoxClock
from edge.dating import FLOOR, SECOND
from edge.outbox import Group, Outbox
from edge.outbox_copy import waiting_batches
from language import translator
from readings import Lane, Sample, wire

NOON = 1_764_072_000 * SECOND
"""2025-11-25 12:00 UTC: when the machine of these tests really booted."""


@dataclass
class Machine:
    """One boot of a machine. `wrong` is how far its clock is off."""

    boot: str = "boot-a"
    booted: int = NOON
    wrong: int = -NOON
    up: int = 20 * SECOND
    notes: "Notes" = field(default_factory=lambda: Notes())

    def clock(self) -> BoxClock:
        return BoxClock(
            self.notes,
            wall=lambda: self.booted + self.up + self.wrong,
            uptime=lambda: self.up,
            boot=self.boot,
            say=translator("en"),
        )


class Notes(dict[str, str]):
    """Notes that outlive the agent, as the outbox keeps them."""

    def note(self, key: str) -> str:
        return self.get(key, "")

    def write_note(self, key: str, value: str) -> None:
        self[key] = value


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    box = Outbox(tmp_path / "outbox.db", "e1", base=0)
    yield box
    box.close()


def take(outbox: Outbox, clock: BoxClock, *values: float, lane: Lane = Lane.TELEMETRY) -> None:
    """The agent reads `values` now and commits them."""
    now = clock()
    group = clock.settle(Group({lane: [Sample("bus/1", "temperature", value, now) for value in values]}))
    outbox.commit(group, now)


def sent(outbox: Outbox, clock: BoxClock, lane: Lane = Lane.TELEMETRY) -> list[list[tuple[float, int, int]]]:
    """Every batch that the link would send now: (value, edge's time, device's time) of each sample."""
    batches = outbox.read(lane, outbox.depth[lane].stored, 100, clock.starts())
    return [[(s.value, s.taken, s.time) for s in wire.decode_samples(b.payload).samples] for b in batches]


def test_the_machines_clock_is_taken_when_it_is_plausible():
    machine = Machine(wrong=0)
    clock = machine.clock()
    assert clock() == NOON + 20 * SECOND
    assert clock.knows
    assert not clock.is_awaited
    assert clock.starts() == {}


def test_what_was_read_in_1970_is_dated_by_the_core(outbox):
    machine = Machine()
    clock = machine.clock()
    take(outbox, clock, 1.0)
    machine.up += 60 * SECOND
    take(outbox, clock, 2.0)
    clock.core_says(NOON + machine.up)
    assert sent(outbox, clock) == [
        [(1.0, NOON + 20 * SECOND, 0), (2.0, NOON + 80 * SECOND, 0)],
    ]
    assert outbox.dated == 2
    assert clock.state(outbox.dated).recovered_s == NOON / SECOND


def test_what_was_read_in_1970_is_dated_by_the_machines_own_clock_once_it_is_set(outbox):
    machine = Machine()
    clock = machine.clock()
    take(outbox, clock, 1.0)
    machine.up += 60 * SECOND
    machine.wrong = 0
    take(outbox, clock, 2.0)
    assert sent(outbox, clock) == [[(1.0, NOON + 20 * SECOND, 0), (2.0, NOON + 80 * SECOND, 0)]]


def test_time_goes_on_from_what_the_core_said():
    machine = Machine()
    clock = machine.clock()
    clock()
    clock.core_says(NOON + machine.up)
    machine.up += 5 * SECOND
    assert clock() == NOON + 25 * SECOND


def test_the_core_is_not_asked_when_the_machines_clock_is_plausible():
    machine = Machine(wrong=7_200 * SECOND)
    clock = machine.clock()
    clock.core_says(NOON + machine.up)
    assert clock() == NOON + machine.up + 7_200 * SECOND  # the difference is shown, not hidden


def test_a_core_whose_own_clock_stands_in_1970_is_not_believed():
    machine = Machine()
    clock = machine.clock()
    clock()
    clock.core_says(FLOOR - 1)
    assert not clock.knows


def test_an_agent_that_was_killed_and_started_in_the_same_boot_still_dates_what_waits(outbox):
    machine = Machine()
    take(outbox, machine.clock(), 1.0)
    machine.up += 30 * SECOND
    again = machine.clock()
    assert not again.knows
    take(outbox, again, 2.0)
    again.core_says(NOON + machine.up)
    assert sent(outbox, again) == [[(1.0, NOON + 20 * SECOND, 0), (2.0, NOON + 50 * SECOND, 0)]]


def test_an_agent_that_starts_after_the_clock_was_set_dates_what_an_earlier_one_read(outbox):
    machine = Machine()
    take(outbox, machine.clock(), 1.0)
    machine.up += 30 * SECOND
    machine.wrong = 0
    again = machine.clock()
    assert again() == NOON + 50 * SECOND
    assert sent(outbox, again) == [[(1.0, NOON + 20 * SECOND, 0)]]


def test_a_clock_that_jumps_later_moves_nothing_that_was_read_before(outbox):
    machine = Machine()
    clock = machine.clock()
    take(outbox, clock, 1.0)
    machine.wrong = 0
    clock()
    machine.wrong = 3_600 * SECOND
    clock()
    assert sent(outbox, clock) == [[(1.0, NOON + 20 * SECOND, 0)]]


def test_a_boot_that_ended_without_the_time_lies_between_what_was_known_and_the_next(outbox):
    machine = Machine(wrong=0)
    clock = machine.clock()
    clock()
    clock.look(0)
    known = clock()

    dark = Machine("boot-b", NOON + 600 * SECOND, -NOON, notes=machine.notes)
    clock = dark.clock()
    take(outbox, clock, 1.0)
    clock.look(0)

    bright = Machine("boot-c", NOON + 1_200 * SECOND, 0, notes=machine.notes)
    clock = bright.clock()
    now = clock()
    [[(value, taken, time)]] = sent(outbox, clock)
    assert value == 1.0
    assert known < taken < now
    assert 0 < time < FLOOR  # so that the normaliser marks it: its time is an estimate


def test_two_boots_without_the_time_keep_their_order_and_never_share_a_batch(outbox):
    first = Machine("boot-a", up=500 * SECOND)
    clock = first.clock()
    take(outbox, clock, 1.0)
    clock.look(0)
    second = Machine("boot-b", up=20 * SECOND, notes=first.notes)
    clock = second.clock()
    take(outbox, clock, 2.0)
    assert [[value for value, _, _ in batch] for batch in sent(outbox, clock)] == [[1.0], [2.0]]


def test_two_dark_boots_dated_at_last_keep_their_order(outbox):
    first = Machine("boot-a", up=500 * SECOND)
    clock = first.clock()
    take(outbox, clock, 1.0)
    clock.look(0)
    second = Machine("boot-b", up=20 * SECOND, notes=first.notes)
    clock = second.clock()
    take(outbox, clock, 2.0)
    second.up += 10 * SECOND
    clock.core_says(NOON + second.up)
    times = [taken for batch in sent(outbox, clock) for _, taken, _ in batch]
    assert times == sorted(times)
    assert times[1] == NOON + 20 * SECOND
    assert times[0] >= FLOOR


def test_telemetry_waits_for_the_time_but_not_for_ever():
    machine = Machine()
    clock = machine.clock()
    clock()
    assert clock.is_awaited
    machine.up += PATIENCE + SECOND
    assert not clock.is_awaited


def test_what_could_not_wait_is_sent_with_its_uptime(outbox):
    machine = Machine()
    clock = machine.clock()
    take(outbox, clock, 1.0, lane=Lane.ALARM)
    assert sent(outbox, clock, Lane.ALARM) == [[(1.0, 20 * SECOND, 0)]]


@pytest.mark.parametrize("known", [False, True], ids=["undated", "dated"])
def test_what_was_sent_keeps_its_bytes_whatever_is_learnt_later(outbox, known):
    machine = Machine()
    clock = machine.clock()
    take(outbox, clock, 1.0)
    if known:
        clock.core_says(NOON + machine.up)
    before = outbox.read(Lane.TELEMETRY, 0, 9, clock.starts())
    clock.core_says(NOON + machine.up + 30 * SECOND)
    assert outbox.read(Lane.TELEMETRY, 0, 9, clock.starts()) == before


def test_a_devices_own_time_is_left_alone(outbox):
    machine = Machine()
    clock = machine.clock()
    group = clock.settle(
        Group({Lane.TELEMETRY: [Sample("bus/1", "temperature", 1.0, clock(), time=NOON + SECOND)]})
    )
    outbox.commit(group, clock())
    clock.core_says(NOON + machine.up)
    assert sent(outbox, clock) == [[(1.0, NOON + 20 * SECOND, NOON + SECOND)]]


def test_a_copy_of_an_outbox_is_dated_by_what_is_known_in_it(outbox, tmp_path):
    machine = Machine(notes=Notes())
    clock = BoxClock(
        outbox, wall=lambda: machine.booted + machine.up + machine.wrong, uptime=lambda: machine.up, boot="b"
    )
    take(outbox, clock, 1.0)
    clock.core_says(NOON + machine.up)
    outbox.trim()
    copy = tmp_path / "copy.db"
    outbox.close()
    copy.write_bytes(outbox.path.read_bytes())
    [batch] = waiting_batches(copy, "e1")
    assert [s.taken for s in wire.decode_samples(batch.payload).samples] == [NOON + 20 * SECOND]


def test_the_wait_since_the_oldest_is_told_in_true_time(outbox):
    machine = Machine()
    clock = machine.clock()
    take(outbox, clock, 1.0)
    machine.up += 60 * SECOND
    clock.core_says(NOON + machine.up)
    assert outbox.oldest(clock.starts()) == NOON + 20 * SECOND
