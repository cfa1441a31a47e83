"""Alarms from outside: what a watcher says, in whatever order it arrives, and what people do about it."""

from itertools import permutations
from pathlib import Path

import pytest

from cases.alarms import Alarm
from cases.desk import Desk
from cases.outside import Notice
from cases.store import AlarmFilter, OperationsStore
from registry.site import Site
from rules.commands import Acknowledge, Refused, Reset
from rules.findings import Condition, FindingKind, Severity

MINUTE = 60_000_000_000
NOW = 1_790_000_000_000_000_000
EVERYTHING = AlarmFilter(state="all")


class Watched:
    """A desk that is told of one alert of Grafana."""

    def __init__(self, store: OperationsStore, site: Site) -> None:
        self.store = store
        self.desk = Desk(site)

    def fires(self, since: int = 0) -> None:
        self._hear(firing=True, began=since)

    def is_over(self, since: int = 0, at: int = 5) -> None:
        self._hear(firing=False, began=since, ended=NOW + at * MINUTE)

    def does(self, command: Acknowledge | Reset) -> None:
        with self.store.transaction() as tx:
            self.desk.command(command, tx, NOW + 60 * MINUTE)

    def alarms(self) -> list[Alarm]:
        with self.store.reading() as reading:
            return sorted(reading.alarms(EVERYTHING).items, key=lambda alarm: alarm.occurrence)

    def timeline(self, number: str) -> list[FindingKind]:
        with self.store.reading() as reading:
            found = reading.alarm(number)
        assert found is not None
        return [finding.kind for finding in found[1]]

    def _hear(self, *, firing: bool, began: int, ended: int = 0) -> None:
        notice = Notice(
            watcher="grafana", key="1a2b", names={"zh": "网关无声", "en": "Gateway silent"},
            severity=Severity.HIGH, firing=firing, began=NOW + began * MINUTE, ended=ended,
        )  # fmt: skip
        with self.store.transaction() as tx:
            self.desk.hear([notice], tx, NOW + 60 * MINUTE)


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    store = OperationsStore(f"sqlite:///{tmp_path / 'operations.db'}")
    store.migrate()
    return Watched(store, Site.of(name="滨湖世纪"))


def test_it_fires_once_however_often_it_is_said(watched: Watched) -> None:
    for _ in range(3):
        watched.fires()
    (alarm,) = watched.alarms()
    assert (alarm.id, alarm.condition, alarm.open, alarm.case) == (
        "@grafana:1a2b#1",
        Condition.ACTIVE,
        True,
        "",
    )
    assert watched.timeline(alarm.id) == [FindingKind.RAISED]


def test_it_is_over_when_its_watcher_says_so_and_stays_until_somebody_has_seen_it(watched: Watched) -> None:
    watched.fires()
    watched.is_over()
    watched.is_over()
    (alarm,) = watched.alarms()
    assert (alarm.condition, alarm.cleared, alarm.open) == (Condition.NORMAL, NOW + 5 * MINUTE, True)
    watched.does(Acknowledge("@grafana:1a2b", "so-1"))
    assert [alarm.open for alarm in watched.alarms()] == [False]


def test_it_comes_back_as_another_occurrence(watched: Watched) -> None:
    watched.fires()
    watched.is_over()
    watched.fires(since=10)
    assert [(alarm.occurrence, alarm.standing) for alarm in watched.alarms()] == [(1, False), (2, True)]


def test_what_was_over_before_anybody_could_be_told_is_a_record(watched: Watched) -> None:
    watched.is_over()
    watched.is_over()
    (alarm,) = watched.alarms()
    assert (alarm.record, alarm.open, alarm.raised, alarm.cleared) == (True, False, NOW, NOW + 5 * MINUTE)


def test_late_notices_of_what_is_over_change_nothing(watched: Watched) -> None:
    watched.fires()
    watched.is_over()
    watched.fires(since=10)
    before = watched.alarms()
    watched.is_over()
    assert watched.alarms() == before
    watched.is_over(since=10, at=15)
    watched.fires(since=10)
    assert [alarm.standing for alarm in watched.alarms()] == [False, False]


@pytest.mark.parametrize("order", [*permutations(range(3))])
def test_in_whatever_order_notices_of_one_occurrence_arrive_it_is_over_in_the_end(
    watched: Watched, order: tuple[int, ...]
) -> None:
    notices = [watched.fires, watched.fires, watched.is_over]
    for place in order:
        notices[place]()
    (alarm,) = watched.alarms()
    assert (alarm.standing, alarm.cleared) == (False, NOW + 5 * MINUTE)


def test_a_person_ends_what_nobody_else_will_end_and_it_comes_back_if_it_still_fires(
    watched: Watched,
) -> None:
    watched.fires()
    assert watched.alarms()[0].resettable
    watched.does(Reset("@grafana:1a2b", "so-1", "Grafana has been taken down."))
    (alarm,) = watched.alarms()
    assert (alarm.standing, alarm.open, alarm.reset_by, alarm.acknowledged) == (False, False, "so-1", True)
    watched.fires()
    assert [alarm.standing for alarm in watched.alarms()] == [False, True]


def test_what_does_not_fire_cannot_be_ended(watched: Watched) -> None:
    with pytest.raises(Refused, match="does not fire"):
        watched.does(Reset("@grafana:1a2b", "so-1", "?"))
    watched.fires()
    watched.is_over()
    with pytest.raises(Refused, match="does not fire"):
        watched.does(Reset("@grafana:1a2b", "so-1", "?"))


def test_seen_twice_is_seen_once(watched: Watched) -> None:
    watched.fires()
    for actor in ("so-1", "so-2"):
        watched.does(Acknowledge("@grafana:1a2b", actor))
    (alarm,) = watched.alarms()
    assert (alarm.acknowledged_by, watched.timeline(alarm.id)) == (
        "so-1",
        [FindingKind.RAISED, FindingKind.ACKNOWLEDGED],
    )
