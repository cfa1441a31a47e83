"""Runs the stories in `cases/`: a folder with rules, readings and the findings the specification asks for.

``readings.jsonl`` is a list of steps, one JSON object a line. Times are offsets from `BASE`
(``"2m30s"``) or ISO 8601 instants:

- ``{"at": "10s", "device": "smoke-a", "point": "smoke", "value": true}``: a reading. `now` is when the
  engine gets it (default: `at`), `taken` the edge's clock (default: `now`), `event` an event id,
  ``"fault": true`` the device's own fault mark. ``"replayed": true``: it waited out an outage. Lines with
  the same `batch` come in one call.
- ``{"now": "1m", "do": "acknowledge", "alarm": …}``, ``"reset"`` with `note`; ``"refused": true`` when the
  engine must refuse it.
- ``{"now": "1m", "do": "rules", "file": "later.yaml"}``, ``{"do": "site", "without": ["smoke-a"]}``.
- ``{"now": "5m", "do": "tick"}``: time passes; ``"asleep": true`` skips the deadlines on the way.
- ``{"now": "40s", "do": "deaf", "asleep": true}``: nothing could reach the engine until now.

``expected.jsonl`` lists the findings in order; of each only the keys that are written are compared. With
``notices.jsonl`` instead, findings that must not be notified are left out of the comparison.

Every story is told twice: straight, and with a restart from stored bytes before every step.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from readings import Quality, Reading
from registry.device_types import DeviceType
from registry.devices import Device
from registry.grids import Calendar, Grid, Place
from registry.site import Site
from rules.commands import Acknowledge, Refused, Reset
from rules.compile import compile_rules
from rules.durations import nanoseconds
from rules.engine import Engine
from rules.findings import Finding
from rules.loading import load_rules
from rules.model import Rule
from rules.state import EngineState

HERE = Path(__file__).parent
BASE = int(datetime.fromisoformat("2026-03-02T00:00:00+00:00").timestamp()) * 1_000_000_000
"""A Monday, 08:00 in Shanghai."""

_PARTS = {"grids": Grid, "calendars": Calendar, "places": Place, "types": DeviceType, "devices": Device}


def moment(text: str) -> int:
    """An offset from `BASE` or an ISO instant, as ns."""
    if "T" in text:
        return int(datetime.fromisoformat(text).timestamp()) * 1_000_000_000
    return BASE + (-nanoseconds(text[1:]) if text.startswith("-") else nanoseconds(text))


def make_site(*files: Path, without: tuple[str, ...] = ()) -> Site:
    """The test community, with the entries of further files added or replacing by id."""
    parts: dict[str, dict[str, Any]] = {name: {} for name in _PARTS}
    zone = ""
    for file in (HERE / "site.yaml", *files):
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
        zone = data.get("timezone", zone)
        for name in parts:
            parts[name] |= {entry["id"]: entry for entry in data.get(name, [])}
    made = {
        name: [model.model_validate(entry) for entry in parts[name].values()]
        for name, model in _PARTS.items()
    }
    made["devices"] = [device for device in made["devices"] if device.id not in without]
    return Site.of(timezone=zone, **made)


def make_rules(*files: Path) -> list[Rule]:
    """The rules in `files`, which must be without problems."""
    rules, problems = load_rules(files)
    assert not problems, "\n".join(map(str, problems))
    return rules


@dataclass
class Stored:
    """The engine's records as a database would keep them."""

    instances: dict[str, bytes] = field(default_factory=dict)
    marks: bytes = b""

    def take(self, engine: Engine) -> None:
        changes = engine.take_changes()
        self.marks = changes.marks
        for key, record in changes.instances:
            if record is None:
                self.instances.pop(key, None)
            else:
                self.instances[key] = record

    def restored(self) -> EngineState:
        return EngineState.restore(self.instances, self.marks)


class Story:
    """One engine that lives through steps, with its database."""

    def __init__(self, rules: list[Rule], site: Site, *, restarts: bool = False) -> None:
        self.rules, self.site = rules, site
        self.stored = Stored()
        self.engine = Engine(compile_rules(rules, site), EngineState())
        self.findings: list[Finding] = []
        self._restarts = restarts

    def restart(self) -> None:
        """Lose the memory, keep the database."""
        self.engine = Engine(compile_rules(self.rules, self.site), self.stored.restored())

    def pass_time(self, until: int) -> None:
        """Tick at every deadline up to `until`."""
        while (deadline := self.engine.next_deadline()) is not None and deadline <= until:
            if deadline == 0:  # a fresh engine wants to be told the time before it knows
                self.findings += self.engine.tick(self.clock)
                self.stored.take(self.engine)
            else:
                self.done(self.engine.tick(max(deadline, self.clock)))
        self.clock = max(self.clock, until)

    clock = BASE

    def done(self, findings: list[Finding]) -> None:
        self.findings += findings
        self.stored.take(self.engine)
        if self._restarts:
            self.restart()

    def feed(self, readings: list[Reading], now: int, *, replayed: bool = False) -> None:
        self.clock = now
        self.done(self.engine.feed(readings, now, replayed=replayed))


def run_case(folder: Path, *, restarts: bool) -> list[Finding]:
    """Tell the story in `folder`."""
    own = [folder / "site.yaml"] if (folder / "site.yaml").exists() else []
    story = Story(make_rules(folder / "rule.yaml"), make_site(*own), restarts=restarts)
    for steps in _batches(folder / "readings.jsonl"):
        first = steps[0]
        now = moment(first.get("now", first.get("at")))
        if not first.get("asleep"):
            story.pass_time(now)
        if "device" in first:
            story.feed([_reading(step, now) for step in steps], now, replayed=first.get("replayed", False))
            continue
        story.clock = now
        match first["do"]:
            case "tick":
                story.done(story.engine.tick(now))
            case "deaf":
                story.engine.deaf(now)
                story.done([])
            case "acknowledge":
                story.done(story.engine.command(Acknowledge(first["alarm"], "li"), now))
            case "reset":
                command = Reset(first["alarm"], "li", first.get("note", ""))
                if first.get("refused"):
                    with pytest.raises(Refused):
                        story.engine.command(command, now)
                else:
                    story.done(story.engine.command(command, now))
            case "rules":
                story.rules = make_rules(folder / first["file"])
                story.done(story.engine.reload(compile_rules(story.rules, story.site), now))
            case "site":
                story.site = make_site(*own, without=tuple(first["without"]))
                story.done(story.engine.reload(compile_rules(story.rules, story.site), now))
            case other:
                raise ValueError(other)
    return story.findings


def _batches(file: Path) -> Iterator[list[dict[str, Any]]]:
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
    batch: list[dict[str, Any]] = []
    for step in map(json.loads, lines):
        if batch and (step.get("batch") is None or step.get("batch") != batch[-1].get("batch")):
            yield batch
            batch = []
        for _ in range(step.get("times", 1)):
            batch.append(step)
            if step.get("batch") is None:
                yield batch
                batch = []
    if batch:
        yield batch


def _reading(step: dict[str, Any], now: int) -> Reading:
    return Reading(
        device=step["device"],
        point=step["point"],
        value=step["value"],
        time=moment(step.get("at", step.get("now"))),
        received=now,
        taken=moment(step["taken"]) if "taken" in step else now,
        quality=Quality.DEVICE_FAULT if step.get("fault") else Quality.GOOD,
        event=step.get("event", ""),
    )


def told(finding: Finding, keys: set[str]) -> dict[str, Any]:
    """The finding as a line of `expected.jsonl` with these keys."""
    values = {name: getattr(finding, name) for name in finding.__struct_fields__}
    values |= {"at": finding.time, "severity": str(finding.severity), "kind": str(finding.kind)}
    return {key: values[key] for key in keys}


def expected(folder: Path) -> tuple[list[dict[str, Any]], bool]:
    """The findings the specification asks for, and whether only notices count."""
    notices = folder / "notices.jsonl"
    file = notices if notices.exists() else folder / "expected.jsonl"
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]
    for line in lines:
        line |= {key: moment(line[key]) for key in ("at", "since", "noticed") if key in line}
    return lines, notices.exists()


@pytest.fixture
def tell() -> Callable[..., tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    """Tells the story in a folder: what was found, and what should have been."""

    def run(folder: Path, *, restarts: bool) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        findings = run_case(folder, restarts=restarts)
        lines, notices = expected(folder)
        if notices:
            findings = [finding for finding in findings if not finding.suppressed_by]
        keys = [set(line) for line in lines] + [{"at", "kind", "alarm"}] * len(findings)
        return [told(finding, wanted) for finding, wanted in zip(findings, keys, strict=False)], lines

    return run


@pytest.fixture(scope="session")
def starts(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Story]:
    """A story with these rules (YAML text) in the test community."""
    site = make_site()
    known: dict[str, list[Rule]] = {}

    def make(text: str, **options: Any) -> Story:
        if text not in known:
            file = tmp_path_factory.mktemp("rules") / "rule.yaml"
            file.write_text(text, encoding="utf-8")
            known[text] = make_rules(file)
        return Story(known[text], site, **options)

    return make


@pytest.fixture(scope="session")
def community() -> Site:
    """The test community."""
    return make_site()
