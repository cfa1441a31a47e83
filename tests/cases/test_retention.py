"""What is over goes when it is old or too much; what is open stays, whatever happens."""

from dataclasses import replace
from pathlib import Path

import pytest

from cases.deliveries import Delivery, DeliveryState
from cases.store import AlarmFilter, CaseFilter, StoreUnavailable
from cases.store.retention import DAY, Keeping, Removed, remove_some
from rules.findings import FindingKind
from tests.cases.conftest import REFUSED_BY_DATABASE, ByHand, Story

ALL_ALARMS = AlarmFilter(state="all")
ALL_CASES = CaseFilter(state="all")
FOREVER = Keeping(cases_for=10_000 * DAY, alarms_for=10_000 * DAY, deliveries_for=10_000 * DAY)


def remove(story: Story, keeping: Keeping) -> Removed:
    removed = Removed()
    while some := remove_some(story.store, keeping, story.now):
        removed += some
    return removed


def closed_case(story: Story, device: str) -> str:
    """A fire from beginning to end: the case's number."""
    occurrence = story.occurrences[device] = story.occurrences.get(device, 0) + 1
    (number,) = story.raised(device, occurrence=occurrence).opened
    story.closed(number, device, occurrence=occurrence)
    return number


def lonely_alarm(story: Story, number: int) -> None:
    """An alarm that opens no case, acknowledged and over."""
    story.report(story.finding("s4", rule="quiet", occurrence=number))
    story.report(story.finding("s4", FindingKind.ACKNOWLEDGED, rule="quiet", occurrence=number, actor="so"))
    story.report(story.finding("s4", FindingKind.CLEARED, rule="quiet", occurrence=number))


def delivery(number: int, state: DeliveryState, created: int) -> Delivery:
    return Delivery(
        id=f"d{number}", receiver="city", kind="case.opened", subject="c", payload="{}", created=created,
        due=created, state=state,
    )  # fmt: skip


def numbers(story: Story) -> list[str]:
    with story.store.reading() as books:
        return sorted(case.id for case in books.cases(ALL_CASES, limit=500).items)


def alarms(story: Story) -> int:
    with story.store.reading() as books:
        return books.alarms(ALL_ALARMS).total


def test_a_closed_case_goes_with_all_it_has_and_leaves_a_line(story: Story, by_hand: ByHand) -> None:
    old = closed_case(story, "s1")
    with story.store.reading() as books:
        last = books.history(old)[-1]
    story.later(days=100)
    young = closed_case(story, "s1")
    open_one = story.raised("s3").opened[0]
    story.later(days=100)
    assert remove(story, Keeping(cases_for=150 * DAY)) == Removed(cases=1)
    assert numbers(story) == sorted([young, open_one])
    for table in ("history", "evidence", "alarm"):
        assert by_hand(f"SELECT count(*) FROM {table} WHERE case_id = '{old}'") == [(0,)], table
    assert by_hand("SELECT count(*) FROM finding WHERE alarm_id NOT IN (SELECT id FROM alarm)") == [(0,)]
    line = by_hand("SELECT id, removed, history_count, history_hash FROM removed_case")
    assert line == [(old, story.now, last.number, last.hash)]
    assert story.acts(young)
    story.later(days=2000)
    assert remove(story, Keeping()) == Removed(cases=1)
    assert numbers(story) == [open_one]  # however old


def test_nobody_can_delete_history_by_hand_all_the_same(story: Story, by_hand: ByHand) -> None:
    kept = closed_case(story, "s1")
    with pytest.raises(REFUSED_BY_DATABASE, match="append-only"):
        by_hand(f"DELETE FROM history WHERE case_id = '{kept}'")


def test_alarms_without_a_case_go_when_they_are_over_and_old(story: Story) -> None:
    for number in range(1, 6):
        lonely_alarm(story, number)
        story.later(days=1)
    story.report(story.finding("s4", rule="quiet", occurrence=6))  # still open
    story.later(days=364)
    assert remove(story, Keeping()) == Removed(alarms=3)
    assert alarms(story) == 3
    story.later(days=5000)
    assert remove(story, Keeping()) == Removed(alarms=2)
    assert alarms(story) == 1


def test_messages_that_are_done_go_and_those_that_wait_stay(story: Story) -> None:
    with story.store.transaction() as tx:
        tx.add_deliveries([delivery(n, state, story.now) for n, state in enumerate(DeliveryState)])
    assert not remove(story, Keeping())
    story.later(days=31)
    assert remove(story, Keeping()) == Removed(deliveries=2)
    with story.store.reading() as books:
        assert [one.state for one in books.deliveries()] == [DeliveryState.WAITING]


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)  # a server's room is its people's
def test_when_there_is_too_much_the_oldest_go_and_what_is_open_stays(story: Story) -> None:
    first: list[str] = []
    for _ in range(40):
        story.later(days=20)  # sooner, the closed case would be opened again
        first.append(closed_case(story, "s1"))
    still_open = story.raised("s3").opened[0]
    for number in range(1, 300):
        lonely_alarm(story, number)
        story.later(minutes=1)
    with story.store.connection() as connection:
        used = story.store.used_bytes(connection)
    ageless = replace(FOREVER, bytes=used)
    assert remove(story, ageless) == Removed()
    ageless = replace(FOREVER, bytes=used // 2)
    removed = remove(story, ageless)
    assert removed.alarms == 299
    assert 0 < removed.cases < 40
    assert numbers(story) == sorted([*first[removed.cases :], still_open])
    for _ in range(20):
        story.later(days=20)
        closed_case(story, "s1")
        remove(story, ageless)
    assert Path(str(story.store.url.database)).stat().st_size < used * 1.1  # what was freed is used again
    remove(story, replace(FOREVER, bytes=1))
    assert numbers(story) == [still_open]
    assert story.acts(still_open)[0] == "raise"


def test_a_locked_database_is_tried_again(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cases.store.operations.BUSY_TIMEOUT", 0.05)
    with story.store.transaction(), pytest.raises(StoreUnavailable):
        remove_some(story.store, FOREVER, story.now)
