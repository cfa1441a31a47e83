"""From what the rooms keep to what the API shows: names instead of ids, people instead of references."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cases.alarms import Alarm
from cases.case import Case, Entry
from cases.outside import URL
from cases.states import ACT_NAMES
from cases.store import CaseFile, FindingRow
from gateway.api import schemas
from gateway.api.limits import limits_of
from gateway.api.names import TAGS, Names, both
from ingest.stores import Row
from language import translator
from readings.lanes import Lane
from readings.quality import Quality
from readings.sample import Scalar
from registry.categories import EvidenceKind
from registry.device_types import DeviceType, Kind, Point
from registry.devices import Device
from registry.grids import Person
from registry.site import Site
from rules.compile import compile_rules
from rules.findings import Evidence
from rules.model import Rule

_UNKNOWN_KIND = Kind.NUMBER


_LATEST = (1 << 63) - 1


def instant(time: int) -> datetime:
    """Nanoseconds since 1970 UTC as a datetime, to the microsecond."""
    return datetime.fromtimestamp(time // 1_000_000_000, UTC).replace(
        microsecond=time % 1_000_000_000 // 1000
    )


def nanoseconds(moment: datetime) -> int:
    """`moment` in ns since 1970 UTC, the nearest that a store can be asked for; without a zone it is UTC."""
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    since = aware - datetime(1970, 1, 1, tzinfo=UTC)
    microseconds = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return min(max(microseconds * 1_000, 0), _LATEST)


def maybe_instant(time: int | None) -> datetime | None:
    """As `instant`; None stays None."""
    return None if time is None else instant(time)


def shown_value(value: Scalar) -> Scalar | None:
    """`value`, or None where it is no number (JSON has no NaN)."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


class Showing:
    """Turns alarms, cases and devices of one site into schemas. Made anew when the site changes."""

    def __init__(self, site: Site, rules: Iterable[Rule]) -> None:
        self.site = site
        self.rules: Mapping[str, Rule] = {rule.id: rule for rule in rules}
        self.names = Names(site, self.rules)
        self._program = compile_rules([*self.rules.values()], site)

    def person(self, person: Person | None) -> schemas.PersonOut | None:
        """A person as staff see them."""
        if person is None:
            return None
        return schemas.PersonOut(
            id=person.id, name=person.name, role=person.role, unit=person.unit, phone=person.phone
        )

    def name_of(self, device_id: str, fallback: str = "") -> schemas.Text:
        """The name of a device that may have left the site."""
        device = self.site.devices.get(device_id)
        if device is not None:
            return self.names.device(device)
        return both(fallback or device_id)

    def limits(self, device: Device) -> list[schemas.LimitOut]:
        """The thresholds of the rules that watch `device`, its own where it has some."""
        plan = self._program.device(device.id)
        watches = plan.watches if plan is not None else ()
        return [limit for watch, _ in watches for limit in limits_of(watch.rule, device.overrides)]

    def alarm(self, alarm: Alarm) -> schemas.AlarmOut:
        """An alarm as a row of the list."""
        return schemas.AlarmOut.model_construct(**self._alarm_fields(alarm))

    def alarm_detail(self, alarm: Alarm, findings: Sequence[FindingRow]) -> schemas.AlarmDetail:
        """An alarm with its timeline."""
        readings = {one: None for finding in findings for one in finding.evidence}
        return schemas.AlarmDetail(
            **self._alarm_fields(alarm),
            findings=[
                schemas.FindingOut(
                    kind=finding.kind,
                    time=instant(finding.time),
                    severity=finding.severity,
                    condition=finding.condition,
                    evidence=[self.evidence(one) for one in finding.evidence],
                    actor=finding.actor,
                    reason=finding.reason,
                )
                for finding in findings
            ],
            evidence=[self.evidence(one) for one in readings],
        )

    def _alarm_fields(self, alarm: Alarm) -> dict[str, Any]:
        labels = alarm.labels
        building = labels.get("building", "")
        elsewhere = building or alarm.watcher.title()
        return {
            "id": alarm.id,
            "rule": alarm.rule,
            "rule_label": self.names.of(alarm),
            "severity": alarm.severity,
            "worst": alarm.worst,
            "condition": alarm.condition,
            "open": alarm.open,
            "acknowledged": alarm.acknowledged,
            "acknowledged_by": alarm.acknowledged_by,
            "acknowledged_at": maybe_instant(alarm.acknowledged_at),
            "raised_at": instant(alarm.raised),
            "changed_at": instant(alarm.changed),
            "cleared_at": maybe_instant(alarm.cleared),
            "late": alarm.late,
            "replayed": alarm.replayed,
            "no_data": alarm.no_data,
            "device": alarm.device,
            "device_name": self.name_of(alarm.device, elsewhere or alarm.alarm),
            "place": labels.get("place", ""),
            "place_name": self.names.where(alarm),
            "building": building,
            "grid": alarm.grids[2],
            "grids": [grid for grid in alarm.grids if grid],
            "case": alarm.case,
            "resettable": alarm.resettable,
            "watcher": alarm.watcher,
            "url": labels.get(URL, ""),
        }

    def evidence(self, evidence: Evidence) -> schemas.EvidenceOut:
        """A reading that spoke for an alarm."""
        device = self.site.devices.get(evidence.device)
        point = self.site.point(device, evidence.point) if device is not None else None
        return schemas.EvidenceOut(
            device=evidence.device,
            device_name=self.name_of(evidence.device),
            point=evidence.point,
            device_class=_class_of(point),
            value=shown_value(evidence.value),
            unit=point.unit if point is not None else "",
            time=instant(evidence.time),
            event=evidence.event,
        )

    def case(self, case: Case, now: int) -> schemas.CaseOut:
        """A case as a row of the list."""
        return schemas.CaseOut(**self.case_fields(case, now))

    def case_fields(self, case: Case, now: int) -> dict[str, Any]:
        """What list and page of a case have in common."""
        people = self.site.people
        return {
            "number": case.id,
            "title": {language: translator(tag)(case.title_in(language)) for language, tag in TAGS},
            "category": case.category,
            "category_label": dict(case.category_label),
            "priority": case.priority,
            "state": case.state.value,
            "open": case.open,
            "overdue": case.overdue_at(now),
            "place": case.place,
            "place_name": dict(case.place_name),
            "building": case.building,
            "grid": case.grids[2] if len(case.grids) > 2 else "",
            "grids": [grid for grid in case.grids if grid],
            "place_officer": self.person(people.get(case.place_officer)),
            "officer": self.person(people.get(case.officer)),
            "holder": case.holder,
            "holder_name": self.names.holder(case.holder),
            "opened_at": instant(case.opened),
            "changed_at": instant(case.changed),
            "due_at": maybe_instant(case.clock.due),
            "closed_at": maybe_instant(case.closed),
            "alarms": case.alarms,
            "worst": case.worst,
            "drill": case.drill,
        }

    def entry(
        self, number: int, entry: Entry, proofs: Sequence[schemas.ProofOut], language: str
    ) -> schemas.EntryOut:
        """A line of a case's history with what was shown; the system's own sentences in `language`."""
        message, note = entry.message, entry.note
        said = ""
        if message is not None:
            said, note = translator(language)(self.names.message(message, language)), self.names.note(note)
        return schemas.EntryOut(
            seq=number,
            time=instant(entry.time),
            actor=entry.actor,
            actor_name=entry.actor_name,
            role=entry.role,
            on_behalf_of=entry.on_behalf_of,
            from_state=entry.from_state.value,
            to_state=entry.to_state.value,
            action=entry.act.value,
            label=translator(language)(ACT_NAMES[entry.act]),
            said=said,
            reason=entry.reason,
            note=note,
            holder_name=self.names.holder(entry.holder),
            proofs=list(proofs),
        )

    def proofs(self, file: CaseFile) -> list[schemas.ProofOut]:
        """What people have shown for a case; what counts no more is marked."""
        labels = {wanted.id: dict(wanted.label) for wanted in file.case.terms.evidence}
        standing = {(proof.time, proof.actor, proof.want, proof.text) for proof in file.case.proofs}
        return [
            schemas.ProofOut(
                time=instant(row.time),
                actor=row.actor,
                actor_name=self.names.person(row.actor),
                kind=EvidenceKind(row.kind),
                text=row.text,
                want=row.want,
                label=labels.get(row.want, {}),
                void=(row.time, row.actor, row.want, row.text) not in standing,
            )
            for row in file.proofs
        ]

    def point(self, point: Point) -> schemas.PointOut:
        """What a point means."""
        return schemas.PointOut(
            point=point.name,
            label=dict(point.label) or {"zh": point.name, "en": point.name},
            kind=point.kind,
            device_class=_class_of(point),
            unit=point.unit,
            lane=point.lane,
            minimum=point.minimum,
            maximum=point.maximum,
        )

    def value(self, kind: DeviceType, point_id: str, row: Row) -> schemas.Value:
        """The latest value of a point of a device of type `kind`."""
        point = next((one for one in kind.points if one.name == point_id), None)
        shown = self.point(point) if point is not None else None
        return schemas.Value(
            point=point_id,
            label=shown.label if shown else {"zh": point_id, "en": point_id},
            kind=shown.kind if shown else _UNKNOWN_KIND,
            device_class=shown.device_class if shown else "",
            value=shown_value(row.value),
            unit=shown.unit if shown else "",
            time=instant(row.time),
            quality=list(Quality(row.quality).names()),
            lane=shown.lane if shown else Lane.TELEMETRY,
        )


def _class_of(point: Point | None) -> str:
    return point.device_class.value if point is not None and point.device_class is not None else ""
