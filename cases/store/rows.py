"""Between rows and shapes: the one place that knows both."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec.structs import replace
from sqlalchemy import RowMapping

from cases.alarms import Alarm
from cases.case import Case, Entry
from cases.states import Act, State
from cases.store.shapes import EvidenceRow, FindingRow, HistoryRow
from rules.findings import Condition, Evidence, Finding, FindingKind, Severity

_json: Final = msgspec.json.Encoder()
_case: Final = msgspec.json.Decoder(Case)
_labels: Final = msgspec.json.Decoder(dict[str, str])
_values: Final = msgspec.json.Decoder(dict[str, str | int])
_readings: Final = msgspec.json.Decoder(tuple[Evidence, ...])

GENESIS: Final = ""
"""What the first line of a history follows."""


def _text(value: object) -> str:
    return _json.encode(value).decode()


def alarm_row(alarm: Alarm, change: int) -> dict[str, Any]:
    """The row of `alarm`."""
    labels = alarm.labels
    grid1, grid2, grid3 = alarm.grids
    return {
        "id": alarm.id,
        "alarm": alarm.alarm,
        "occurrence": alarm.occurrence,
        "rule": alarm.rule,
        "version": alarm.version,
        "severity": alarm.severity.value,
        "worst": alarm.worst.value,
        "rank": alarm.rank,
        "condition": alarm.condition.value,
        "standing": alarm.standing,
        "open": alarm.open,
        "acknowledged": alarm.acknowledged,
        "acknowledged_at": alarm.acknowledged_at,
        "acknowledged_by": alarm.acknowledged_by,
        "reset_at": alarm.reset_at,
        "reset_by": alarm.reset_by,
        "raised": alarm.raised,
        "noticed": alarm.noticed,
        "changed": alarm.changed,
        "cleared": alarm.cleared,
        "ended": alarm.ended,
        "record": alarm.record,
        "late": alarm.late,
        "replayed": alarm.replayed,
        "no_data": alarm.no_data,
        "flapping": alarm.flapping,
        "prealarm": alarm.prealarm,
        "suppressed_by": alarm.suppressed_by,
        "device": alarm.device,
        "place": labels.get("place", ""),
        "building": labels.get("building", ""),
        "edge": labels.get("edge", ""),
        "grid1": grid1,
        "grid2": grid2,
        "grid3": grid3,
        "labels": _text(labels),
        "case_id": alarm.case,
        "findings": alarm.findings,
        "change": change,
    }


def alarm_of(row: RowMapping) -> Alarm:
    """The alarm in `row`."""
    return Alarm(
        id=row["id"],
        alarm=row["alarm"],
        occurrence=row["occurrence"],
        rule=row["rule"],
        version=row["version"],
        severity=Severity(row["severity"]),
        worst=Severity(row["worst"]),
        condition=Condition(row["condition"]),
        labels=_labels.decode(row["labels"]),
        raised=row["raised"],
        noticed=row["noticed"],
        changed=row["changed"],
        cleared=row["cleared"],
        acknowledged=row["acknowledged"],
        acknowledged_at=row["acknowledged_at"],
        acknowledged_by=row["acknowledged_by"],
        reset_at=row["reset_at"],
        reset_by=row["reset_by"],
        open=row["open"],
        ended=row["ended"],
        record=row["record"],
        late=row["late"],
        replayed=row["replayed"],
        no_data=row["no_data"],
        flapping=row["flapping"],
        prealarm=row["prealarm"],
        suppressed_by=row["suppressed_by"],
        case=row["case_id"],
        findings=row["findings"],
    )


def finding_row(finding: Finding) -> dict[str, Any]:
    """The row of `finding`; its number is given by the database."""
    return {
        "alarm_id": finding.id,
        "kind": finding.kind.value,
        "time": finding.time,
        "noticed": finding.noticed,
        "severity": finding.severity.value,
        "condition": finding.condition.value,
        "version": finding.version,
        "late": finding.late,
        "replayed": finding.replayed,
        "reason": finding.reason,
        "actor": finding.actor,
        "suppressed_by": finding.suppressed_by,
        "readings": _text(finding.evidence) if finding.evidence else "[]",
    }


def finding_of(row: RowMapping) -> FindingRow:
    """The finding in `row`."""
    return FindingRow(
        seq=row["seq"],
        alarm=row["alarm_id"],
        kind=FindingKind(row["kind"]),
        time=row["time"],
        noticed=row["noticed"],
        severity=Severity(row["severity"]),
        condition=Condition(row["condition"]),
        version=row["version"],
        late=row["late"],
        replayed=row["replayed"],
        reason=row["reason"],
        actor=row["actor"],
        suppressed_by=row["suppressed_by"],
        evidence=_readings.decode(row["readings"]),
    )


def case_row(case: Case, change: int, count: int, chain: str) -> dict[str, Any]:
    """The row of `case`; `count` and `chain` are the length and last hash of its history."""
    grids = (*case.grids, "", "", "")
    clock = case.clock
    late_from = clock.overdue if clock.overdue is not None else clock.due if clock.running else None
    names = {*case.place_name.values(), *case.category_label.values()}
    words = (case.id, str(case.title_in("zh")), str(case.title_in("en")), *names, case.building, case.place)
    return {
        "id": case.id,
        "state": case.state.value,
        "open": case.open,
        "category": case.category,
        "priority": case.priority,
        "merge_key": case.merge_key,
        "place": case.place,
        "building": case.building,
        "grid1": grids[0],
        "grid2": grids[1],
        "grid3": grids[2],
        "officer": case.officer,
        "holder": case.holder,
        "accepted": case.accepted is not None,
        "opened": case.opened,
        "changed": case.changed,
        "closed": case.closed,
        "late_from": late_from if case.open else None,
        "next_due": case.next_due,
        "drill": case.drill,
        "search": " ".join(filter(None, words)).lower(),
        "body": _text(replace(case, standing=())),
        "history_count": count,
        "history_hash": chain,
        "change": change,
    }


def case_of(body: str) -> Case:
    """The case in a row's `body`."""
    return _case.decode(body)


def history_row(entry: Entry, number: int, prev_hash: str) -> dict[str, Any]:
    """The row of `entry` as line `number`, chained to the line before it."""
    row: dict[str, Any] = {
        "case_id": entry.case,
        "number": number,
        "time": entry.time,
        "act": entry.act.value,
        "actor": entry.actor,
        "actor_name": entry.actor_name,
        "role": entry.role,
        "on_behalf_of": entry.on_behalf_of,
        "from_state": entry.from_state.value,
        "to_state": entry.to_state.value,
        "reason": entry.reason,
        "note": entry.note,
        "template": entry.template,
        "template_values": _text(entry.values),
        "rule": entry.rule,
        "rule_version": entry.rule_version,
        "holder": entry.holder,
        "prev_hash": prev_hash,
    }
    return {**row, "hash": chain_hash(row)}


def chain_hash(row: Mapping[str, Any]) -> str:
    """SHA-256 (hex) over a history line's values in the order of their names, `prev_hash` among them."""
    kept = {name: value for name, value in row.items() if name != "hash"}
    return hashlib.sha256(msgspec.json.encode(kept, order="sorted")).hexdigest()


def history_of(row: RowMapping) -> HistoryRow:
    """The line of history in `row`."""
    entry = Entry(
        case=row["case_id"],
        act=Act(row["act"]),
        actor=row["actor"],
        actor_name=row["actor_name"],
        role=row["role"],
        on_behalf_of=row["on_behalf_of"],
        from_state=State(row["from_state"]),
        to_state=State(row["to_state"]),
        reason=row["reason"],
        note=row["note"],
        template=row["template"],
        values=_values.decode(row["template_values"]),
        rule=row["rule"],
        rule_version=row["rule_version"],
        time=row["time"],
        holder=row["holder"],
    )
    return HistoryRow(row["number"], entry, row["prev_hash"], row["hash"])


def evidence_row(evidence: EvidenceRow) -> dict[str, Any]:
    """The row of `evidence`."""
    return {
        "case_id": evidence.case,
        "time": evidence.time,
        "kind": evidence.kind,
        "alarm_id": evidence.alarm,
        "want": evidence.want,
        "text": evidence.text,
        "actor": evidence.actor,
        "readings": _text(evidence.readings) if evidence.readings else "[]",
    }


def evidence_of(row: RowMapping) -> EvidenceRow:
    """The evidence in `row`."""
    return EvidenceRow(
        case=row["case_id"],
        time=row["time"],
        kind=row["kind"],
        alarm=row["alarm_id"],
        want=row["want"],
        text=row["text"],
        actor=row["actor"],
        readings=_readings.decode(row["readings"]),
    )
