"""A small community, its desk and its store, and the moves that every story here is made of."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from cases.case import Action, Actor, Case, Proof, actor_of
from cases.desk import Changes, Desk
from cases.states import Act
from cases.store import OperationsStore
from cases.store.sqlite_file import SqliteFile
from registry.categories import Category, EvidenceKind, EvidenceWanted, Milestone
from registry.devices import Device
from registry.grids import Calendar, Grid, GridKind, Person, Place, Role
from registry.site import Site
from rules.findings import Condition, Evidence, Finding, FindingKind, Severity
from rules.model import Rule
from tests.postgres import PASSWORD, Cluster

SHANGHAI = ZoneInfo("Asia/Shanghai")


def at(text: str) -> int:
    """``2026-10-09 09:30`` in Shanghai, as nanoseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).timestamp()) * 1_000_000_000


def community() -> Site:
    """Two buildings, one with officers on every level, one with only the widest grid's, one with none."""
    both = GridKind.RESIDENTIAL
    grids = [
        Grid(id="R1", name="滨湖", kind=both, level=1, officer="g1"),
        Grid(id="R1-01", name="滨湖一", kind=both, level=2, parent="R1", officer="g2"),
        Grid(id="R1-01-01", name="滨湖一之一", kind=both, level=3, parent="R1-01", officer="g3"),
        Grid(id="R1-02", name="滨湖二", kind=both, level=2, parent="R1"),
        Grid(id="R1-02-01", name="滨湖二之一", kind=both, level=3, parent="R1-02"),
        Grid(id="R2", name="无人", kind=both, level=1),
        Grid(id="R2-01", name="无人一", kind=both, level=2, parent="R2"),
        Grid(id="R2-01-01", name="无人一之一", kind=both, level=3, parent="R2-01"),
    ]
    places = [
        Place(
            id="kitchen", name={"zh": "8 栋厨房", "en": "Building 8, kitchen"}, grid="R1-01-01", building="8"
        ),
        Place(id="hall", name={"zh": "8 栋大厅", "en": "Building 8, hall"}, grid="R1-01-01", building="8"),
        Place(id="shop", name={"zh": "9 栋商铺", "en": "Building 9, shop"}, grid="R1-02-01", building="9"),
        Place(id="yard", name={"zh": "空地", "en": "Yard"}, grid="R2-01-01"),
    ]
    people = [
        Person(id="g1", name="Wide", role=Role.GRID_OFFICER),
        Person(id="g2", name="Middle", role=Role.GRID_OFFICER),
        Person(id="g3", name="Near", role=Role.GRID_OFFICER),
        Person(id="c1", name="Centre", role=Role.SMART_CENTRE),
        Person(id="so", name="Safety", role=Role.SAFETY_OFFICER),
        Person(id="d1", name="Fire brigade", role=Role.DEPARTMENT, unit="fire-team"),
        Person(id="d2", name="City", role=Role.DEPARTMENT, unit="city"),
        Person(id="v1", name="Verifier", role=Role.VERIFIER),
        Person(id="adm", name="Admin", role=Role.ADMINISTRATOR),
        Person(id="eye", name="Viewer", role=Role.VIEWER),
    ]
    office = Calendar(id="office", days="mon-fri", start="09:00", end="17:00", holidays="CN")
    categories = [
        Category(
            id="fire",
            label={"zh": "火情", "en": "Fire"},
            urgent=True,
            accept_within="3m",
            handle_within="2h",
            closing_standard="No smoke, detectors reset.",
            unit="fire-team",
            milestones=(Milestone(id="arrived", label="Arrived", within="10m"),),
            evidence=(EvidenceWanted(id="scene", label="The scene", kind=EvidenceKind.PHOTO),),
        ),
        Category(
            id="upkeep",
            label={"zh": "设施", "en": "Upkeep"},
            accept_within="4h",
            handle_within="3d",
            calendar="office",
            closing_standard="Repaired.",
            unit="city",
        ),
    ]
    devices = [
        Device(
            id="s1", type="z2m-smoke", place="kitchen", edge="e1", connection="z", address="1", name="烟感一"
        ),
        Device(id="s2", type="z2m-smoke", place="hall", edge="e1", connection="z", address="2"),
        Device(id="s3", type="z2m-smoke", place="shop", edge="e1", connection="z", address="3"),
        Device(id="s4", type="z2m-smoke", place="yard", edge="e1", connection="z", address="4"),
    ]
    return Site.of(
        name="滨湖世纪",
        grids=grids,
        places=places,
        people=people,
        calendars=[office],
        categories=categories,
        devices=devices,
    )


def starter_rules() -> list[Rule]:
    """Smoke by building, a door that needs upkeep by place, silence of devices."""
    smoke = {"point": "smoke", "op": "==", "value": True}
    return [
        Rule.model_validate(
            {
                "id": "smoke",
                "version": 7,
                "label": {"zh": "烟雾报警", "en": "Smoke"},
                "when": smoke,
                "latch": True,
                "severity": "critical",
                "no_data": {"after": "5m"},
                "case": {"category": "fire", "merge_by": ["building"], "window": "30m", "priority": "P1"},
            }
        ),
        Rule.model_validate(
            {
                "id": "warm",
                "when": {"point": "temperature", "op": ">", "value": 60},
                "case": {"category": "fire", "merge_by": ["building"], "window": "30m", "priority": "P2"},
            }
        ),
        Rule.model_validate(
            {
                "id": "damp",
                "when": {"point": "humidity", "op": ">", "value": 90},
                "case": {"category": "upkeep", "merge_by": ["place"], "window": "30m", "priority": "P3"},
            }
        ),
        Rule.model_validate({"id": "quiet", "when": {"point": "x", "op": ">", "value": 1}}),
    ]


@dataclass
class Story:
    """What happens, told in the order it happens. `now` is the gateway's clock."""

    site: Site
    desk: Desk
    store: OperationsStore
    now: int = at("2026-11-23 10:00")
    occurrences: dict[str, int] = field(default_factory=dict)

    at = staticmethod(at)

    def later(self, **length: int) -> None:
        """Let time pass: seconds, minutes, hours or days."""
        sizes = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}
        self.now += sum(sizes[name] * value for name, value in length.items()) * 1_000_000_000

    def finding(
        self,
        device: str = "s1",
        kind: FindingKind = FindingKind.RAISED,
        *,
        rule: str = "smoke",
        occurrence: int = 1,
        severity: Severity = Severity.CRITICAL,
        **rest: Any,
    ) -> Finding:
        """A finding about a device, now."""
        known = self.site.devices.get(device)
        labels: dict[str, str] = {"device": device, "edge": "e1"}
        if known is not None:
            place = self.site.places[known.place]
            path = self.site.grid_path(place.id)
            labels |= {"place": place.id, "grid1": path[0].id, "grid2": path[1].id, "grid3": path[2].id}
            if place.building:
                labels["building"] = place.building
        conditions = {
            FindingKind.PREALARM: Condition.PREALARM,
            FindingKind.CLEARED: Condition.NORMAL,
            FindingKind.RECORD: Condition.NORMAL,
            FindingKind.RESET: Condition.NORMAL,
            FindingKind.ENDED: Condition.NORMAL,
            FindingKind.LATCHED: Condition.LATCHED,
        }
        fields: dict[str, Any] = {
            "condition": conditions.get(kind, Condition.ACTIVE),
            "time": self.now,
            "noticed": self.now,
            "labels": labels,
            "evidence": (Evidence(device, "smoke", True, self.now),),
            **rest,
        }
        return Finding(
            kind=kind,
            alarm=f"{rule}:{device}",
            occurrence=occurrence,
            rule=rule,
            version=7,
            severity=severity,
            **fields,
        )

    def report(self, *findings: Finding) -> Changes:
        """The engine reports."""
        with self.store.transaction() as tx:
            return self.desk.report(findings, tx, self.now)

    def raised(self, device: str = "s1", **rest: Any) -> Changes:
        """One alarm is raised."""
        return self.report(self.finding(device, **rest))

    def who(self, person: str) -> Actor:
        """A person of the site as an actor."""
        return actor_of(self.site.people[person])

    def act(self, number: str, act: Act, person: str, **rest: Any) -> Case:
        """A person does something with a case."""
        with self.store.transaction() as tx:
            return self.desk.act(tx, number, Action(act=act, actor=self.who(person), **rest), self.now)

    def tick(self) -> Changes:
        """Time is looked at."""
        with self.store.transaction() as tx:
            return self.desk.tick(tx, self.now)

    def case(self, number: str) -> Case:
        """The case as it is stored."""
        with self.store.transaction() as tx:
            found = tx.case(number)
        assert found is not None
        return found

    def acts(self, number: str) -> list[str]:
        """The acts of a case's history, in order."""
        with self.store.reading() as books:
            return [line.entry.act.value for line in books.history(number)]

    def quiet(self, *devices: str, rule: str = "smoke", occurrence: int = 1) -> None:
        """The alarms of these devices latch and are reset after inspection."""
        same: dict[str, Any] = {"rule": rule, "occurrence": occurrence}
        self.report(*(self.finding(device, FindingKind.LATCHED, **same) for device in devices))
        self.report(*(self.finding(device, FindingKind.RESET, actor="so", **same) for device in devices))

    def closed(self, number: str, *devices: str, occurrence: int = 1) -> Case:
        """From dispatched to closed, the way it should go."""
        self.act(number, Act.ACCEPT, "g3")
        self.quiet(*devices, occurrence=occurrence)
        self.act(number, Act.FEEDBACK, "g3", note="done", evidence=(Proof(EvidenceKind.PHOTO, "a.jpg"),))
        self.act(number, Act.VERIFY, "v1")
        self.act(number, Act.APPROVE, "v1", standard_met=True)
        return self.act(number, Act.SKIP_CALLBACK, "c1", reason="no resident")


@pytest.fixture
def site() -> Site:
    """The community."""
    return community()


@pytest.fixture
def sqlite_store(sqlite_operations: OperationsStore) -> OperationsStore:
    """An operations database in a file, ready for use."""
    return sqlite_operations


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest) -> OperationsStore:
    """As `operations`, of which a module may choose one kind."""
    chosen: OperationsStore = request.getfixturevalue(f"{request.param}_operations")
    return chosen


ByHand = Callable[..., list[tuple[Any, ...]]]
REFUSED_BY_DATABASE = (sqlite3.IntegrityError, psycopg.IntegrityError)


@pytest.fixture
def by_hand(store: OperationsStore, request: pytest.FixtureRequest) -> ByHand:
    """Statements behind the store's back, in one transaction; gives the last one's rows."""

    def run(*statements: str) -> list[tuple[Any, ...]]:
        if isinstance(store.database, SqliteFile):
            connection: Any = sqlite3.connect(store.database.path)
        else:
            cluster: Cluster = request.getfixturevalue("postgres")
            connection = psycopg.connect(
                cluster.url(str(store.url.database)), password=PASSWORD, sslmode="prefer"
            )
        with closing(connection), connection:
            rows = []
            for statement in statements:
                cursor = connection.execute(statement)
                rows = cursor.fetchall() if cursor.description else []
            return rows

    return run


@pytest.fixture
def rules() -> Sequence[Rule]:
    """The rules that open cases here."""
    return starter_rules()


@pytest.fixture
def story(site: Site, store: OperationsStore, rules: Sequence[Rule]) -> Story:
    """The beginning of a story."""
    return Story(site, Desk(site, rules), store)
