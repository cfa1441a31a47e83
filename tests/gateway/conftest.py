"""A gateway's application without its bus: real stores, a real desk, a real engine's findings."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from cases.case import Action
from cases.desk import Desk
from cases.outside import Notice
from cases.store import OperationsStore
from gateway.api.showing import Showing
from gateway.api.views import Views
from gateway.app import create_app
from gateway.freshness import Freshness
from gateway.live import LiveFeed
from gateway.queues import Queue
from gateway.rates import Rates
from gateway.rule_runner import Changed
from gateway.status import Part, Status, always
from ingest.audit import Books, balance
from ingest.stores.embedded import EmbeddedStore
from ingest.stores.embedded_reader import EmbeddedHistory
from language import Message
from readings import Lane, Reading, ReadingBatch
from registry.categories import Category, EvidenceKind, EvidenceWanted, Milestone
from registry.device_types import DeviceType, Kind, Point
from registry.devices import Device, EdgeWiring
from registry.grids import Grid, GridKind, Person, Place, Role, Unit
from registry.site import Site
from rules.commands import Acknowledge, Refused, Reset
from rules.findings import Condition, Evidence, Finding, FindingKind, Severity
from rules.model import Rule

NOW = 1_790_000_000_000_000_000
SECOND = 1_000_000_000
SECRET = "known to Grafana"


def small_site() -> Site:
    both = {"zh": "一号网格", "en": "Grid 1"}
    live = GridKind.RESIDENTIAL
    return Site.of(
        name="滨湖世纪",
        grids=[
            Grid(id="R1", name=both, kind=live, level=1, officer="g1"),
            Grid(id="R1-01", name=both, kind=live, level=2, parent="R1"),
            Grid(id="R1-01-01", name=both, kind=live, level=3, parent="R1-01", officer="g3"),
        ],
        places=[Place(id="kitchen", name={"zh": "厨房", "en": "Kitchen"}, grid="R1-01-01", building="8")],
        people=[
            Person(id="g1", name="Wide", role=Role.GRID_OFFICER),
            Person(id="g3", name="Near", role=Role.GRID_OFFICER),
            Person(id="c1", name="Centre", role=Role.SMART_CENTRE),
            Person(id="d1", name="Brigade", role=Role.DEPARTMENT, unit="fire-team"),
            Person(id="v1", name="Verifier", role=Role.VERIFIER),
        ],
        units=[Unit(id="fire-team", name={"zh": "消防队", "en": "Fire brigade"})],
        categories=[
            Category(
                id="fire",
                label={"zh": "火情", "en": "Fire"},
                urgent=True,
                accept_within="3m",
                handle_within="2h",
                closing_standard="No smoke.",
                unit="fire-team",
                milestones=(Milestone(id="arrived", label={"zh": "到场", "en": "Arrived"}, within="10m"),),
                evidence=(
                    EvidenceWanted(
                        id="scene", label={"zh": "现场照片", "en": "The scene"}, kind=EvidenceKind.PHOTO
                    ),
                    EvidenceWanted(
                        id="quiet", label={"zh": "读数正常", "en": "Quiet"}, kind=EvidenceKind.READING
                    ),
                ),
            )
        ],
        types=[
            DeviceType(
                id="smoker",
                device_class="smoke",
                label={"zh": "烟感", "en": "Smoke detector"},
                points=(
                    Point(name="smoke", kind=Kind.BINARY, device_class="smoke", lane=Lane.ALARM),
                    Point(name="temperature", unit="Cel", lane=Lane.ALARM),
                ),
            )
        ],
        devices=[
            Device(id="s1", type="smoker", place="kitchen", edge="e1", connection="z", address="1"),
            Device(id="s2", type="smoker", place="kitchen", edge="e1", connection="z", address="2"),
        ],
        edges=[EdgeWiring(id="e1", connections=())],
    )


def some_rules() -> list[Rule]:
    case = {"category": "fire", "merge_by": ["place"], "window": "30m", "priority": "P1"}
    smoke = {"point": "smoke", "op": "==", "value": True}
    warm = [
        {"severity": "critical", "when": {"point": "temperature", "op": ">", "value": 70}},
        {"severity": "high", "when": {"point": "temperature", "op": ">=", "value": 60}},
    ]
    label = {"zh": "烟雾报警", "en": "Smoke alarm"}
    return [
        Rule.model_validate({"id": "smoke", "label": label, "when": smoke, "latch": True, "case": case}),
        Rule.model_validate({"id": "warm", "levels": warm}),
    ]


class StillQueues:
    """Queues without a bus."""

    async def look(self) -> list[Queue]:
        return [Queue("READINGS_ALARM", "rules", Lane.ALARM, 3, 2)]

    async def waiting(self) -> int:
        return 3

    async def audit(self, data: Path, edges: Path | None) -> Books:
        return balance(data, edges)


class SilentIngest:
    """No ingest process is heard."""

    status = None


@dataclass
class Gateway:
    """The application and what happens behind it."""

    views: Views
    store: OperationsStore
    desk: Desk
    client: httpx.AsyncClient
    app: Any
    feed: LiveFeed
    commands: list[Acknowledge | Reset] = field(default_factory=list)
    ingest: dict[str, dict[str, Any] | Exception] = field(default_factory=dict)
    """What the ingest process answers to each command."""
    refuse: Message | None = None
    acted: int = 0
    """How often people have acted on cases, a second apart."""

    def find(self, device: str = "s1", rule: str = "smoke", **rest: Any) -> None:
        """The engine finds something."""
        fields: dict[str, Any] = {
            "kind": FindingKind.RAISED,
            "alarm": f"{rule}:{device}",
            "occurrence": 1,
            "severity": Severity.CRITICAL,
            "condition": Condition.ACTIVE,
            "labels": {
                "device": device, "place": "kitchen", "building": "8",
                "grid1": "R1", "grid2": "R1-01", "grid3": "R1-01-01",
            },
            "evidence": (Evidence(device, "smoke", True, NOW),),
            **rest,
        }  # fmt: skip
        finding = Finding(rule=rule, version=1, time=NOW, noticed=NOW, **fields)
        with self.store.transaction() as tx:
            made = self.desk.report([finding], tx, NOW)
            cases = (tx.case(number) for number in made.cases)
            changed = Changed(
                tuple(tx.alarms(made.alarms).values()), tuple(case for case in cases if case is not None)
            )
        self.views.tell(changed)

    async def get(self, path: str, language: str = "en", status: int = 200, **query: Any) -> Any:
        """The body of an answer with the status expected."""
        answer = await self.client.get(f"/api/v1/{path}", params=query, headers={"Accept-Language": language})
        assert answer.status_code == status, answer.text
        return answer.json()

    async def post(self, path: str, body: object, language: str = "en", status: int = 200) -> Any:
        """As `get`, sending `body`."""
        answer = await self.client.post(f"/api/v1/{path}", json=body, headers={"Accept-Language": language})
        assert answer.status_code == status, answer.text
        return answer.json()


@pytest.fixture
async def gateway(tmp_path: Path, operations: OperationsStore) -> AsyncIterator[Gateway]:
    """A gateway with two detectors; one has spoken, of a temperature that is no number too."""
    site, rules, store = small_site(), some_rules(), operations
    readings = EmbeddedStore(tmp_path / "readings.db")
    spoken = tuple(
        Reading("s1", point, value, NOW - back * SECOND, NOW, NOW)
        for point, value, back in (
            ("smoke", True, 1), ("temperature", 21.5, 3), ("temperature", float("nan"), 2),
        )
    )  # fmt: skip
    await readings.write([ReadingBatch("e1", Lane.ALARM, 1, spoken)], NOW)
    history = EmbeddedHistory(tmp_path / "readings.db")
    freshness = Freshness({"s1": NOW})
    feed, rates, desk = LiveFeed(100), Rates(), Desk(site, rules)
    pages = tmp_path / "pages"
    (pages / "assets").mkdir(parents=True)
    (pages / "index.html").write_text("<title>console</title>")
    (pages / "icon.svg").write_text("<svg/>")
    (pages / "assets" / "a.js").write_text("1")
    status = Status(
        [Part("message bus", lambda: None, vital=always)],
        StillQueues(),  # type: ignore[arg-type]  # the bus has tests of its own
        SilentIngest(),  # type: ignore[arg-type]
        history,
        freshness,
        rates,
        data=tmp_path,
        edges=None,
        started=NOW,
        version="1",
    )

    async def command(asked: Acknowledge | Reset) -> None:
        if made.refuse is not None:
            raise Refused(made.refuse)
        made.commands.append(asked)

    async def act(number: str, action: Action) -> None:
        made.acted += 1
        with store.transaction() as tx:
            desk.act(tx, number, action, NOW + made.acted * SECOND)

    async def hear(notices: Sequence[Notice]) -> None:
        with store.transaction() as tx:
            found = desk.hear(notices, tx, NOW)
            changed = Changed(tuple(tx.alarms(found.alarms).values()))
        made.views.tell(changed)

    async def ask(name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        answer = made.ingest[name]
        if isinstance(answer, Exception):
            raise answer
        return answer

    views = Views(
        Showing(site, rules), store, history, freshness, feed, status, command, act, hear, ask, tmp_path, "1",
        revision="r", grafana_secret=SECRET, clock=lambda: NOW,
    )  # fmt: skip
    app = create_app(views, status, "1", pages)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        made = Gateway(views, store, desk, client, app, feed)
        yield made
    await history.close()
    await readings.close()
