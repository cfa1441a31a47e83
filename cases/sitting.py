"""One call of the desk's `report`: findings in order, everything written once at the end.

Folding is counted here and becomes one line of history per case and call, so a burst of 500 findings
costs 500 rows of evidence and a handful of everything else.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypedDict

from msgspec.structs import replace

from cases import alarms as alarm_list
from cases import opening
from cases.alarms import Alarm
from cases.case import SYSTEM, Action, Case, Entry
from cases.deliveries import Delivery, Receiver, about_alarm, about_case
from cases.guards import REOPEN_WITHIN, narrowest_level
from cases.lifecycle import advance
from cases.states import Act, State
from cases.store.shapes import EvidenceRow
from cases.store.transaction import Transaction
from language import N_, Message
from registry.site import Site
from rules.findings import Finding, FindingKind
from rules.model import CaseTemplate, Rule

_OPENS: Final = frozenset(
    {FindingKind.PREALARM, FindingKind.RAISED, FindingKind.RELEASED, FindingKind.RECORD}
)
"""A case is opened for these when none takes the finding."""

_JOINS: Final = _OPENS | {FindingKind.SEVERITY}

_TOLD: Final = {
    FindingKind.CLEARED: N_("Alarm over: {alarms}"),
    FindingKind.LATCHED: N_("Condition gone, to be reset after inspection: {alarms}"),
    FindingKind.RESET: N_("Alarm reset: {alarms}"),
    FindingKind.ACKNOWLEDGED: N_("Alarm acknowledged: {alarms}"),
    FindingKind.ENDED: N_("Alarm ended without its condition having gone: {alarms}"),
}
"""What the history of a case says of its alarms."""

_NAMED_ALARMS: Final = 5


@dataclass(slots=True)
class _Open:
    """A case that this call touches."""

    case: Case
    entries: list[Entry] = field(default_factory=list)
    folded: int = 0
    linked: int = 0
    last: int = 0
    priority: str = ""
    first: Finding | None = None
    told: defaultdict[tuple[FindingKind, str, str], list[str]] = field(
        default_factory=lambda: defaultdict(list)
    )


class _Spoken(TypedDict):
    """The rule that spoke, as an action's fields."""

    rule: str
    rule_version: int


class Sitting:
    """The work of one `Desk.report`. `alarms`, `cases` and `opened` say afterwards what changed."""

    def __init__(
        self,
        site: Site,
        rules: Mapping[str, Rule],
        receivers: Sequence[Receiver],
        prefix: str,
        tx: Transaction,
        now: int,
    ) -> None:
        self._site = site
        self._rules = rules
        self._receivers = receivers
        self._prefix = prefix
        self._tx = tx
        self._now = now
        self.alarms: dict[str, Alarm] = {}
        self.cases: dict[str, _Open] = {}
        self.opened: list[str] = []
        self._by_key: dict[str, str] = {}
        self._findings: list[Finding] = []
        self._evidence: list[EvidenceRow] = []
        self._deliveries: list[Delivery] = []

    def take(self, findings: Sequence[Finding]) -> None:
        """Work through `findings` in their order."""
        self._findings += findings
        known = self._tx.alarms({finding.id for finding in findings})
        for finding in findings:
            before = self.alarms.get(finding.id) or known.get(finding.id) or alarm_list.first_seen(finding)
            alarm = alarm_list.after(before, finding)
            if finding.kind in _JOINS:
                alarm = self._to_case(alarm, finding)
            elif alarm.case and finding.kind in _TOLD:
                self._tell_case(alarm, finding)
            self.alarms[alarm.id] = alarm
            self._deliveries += about_alarm(self._receivers, alarm, finding, self._now)

    def close(self) -> None:
        """Write everything."""
        for touched in self.cases.values():
            self._fold_in(touched)
            self._say_alarms(touched)
        self._tx.put_alarms(self.alarms.values())
        self._tx.add_findings(self._findings)
        self._tx.add_evidence(self._evidence)
        changed = [(touched.case, touched.entries) for touched in self.cases.values() if touched.entries]
        for case, entry, number in self._tx.put_cases(changed):
            self._deliveries += about_case(self._receivers, case, entry, number, self._now)
        self._tx.add_deliveries(self._deliveries)

    # ------------------------------------------------------------------------------ finding → case

    def _to_case(self, alarm: Alarm, finding: Finding) -> Alarm:
        rule = self._rules.get(finding.rule)
        template = _template(rule, finding)
        touched = self._linked(alarm) if alarm.case else None
        if touched is not None and touched.case.open:
            self._fold(touched, finding, template, new_alarm=False)
            return alarm
        if template is None:
            return alarm
        touched = self._taker(template, finding)
        if touched is None:
            if finding.kind not in _OPENS or _held_back(finding):
                return alarm
            touched = self._open(rule, template, finding)
        self._fold(touched, finding, template, new_alarm=alarm.case != touched.case.id)
        return replace(alarm, case=touched.case.id)

    def _linked(self, alarm: Alarm) -> _Open | None:
        return self.cases.get(alarm.case) or self._load(self._tx.case(alarm.case))

    def _load(self, case: Case | None) -> _Open | None:
        if case is None:
            return None
        # what this call has done to it counts, not what was read again
        return self.cases.setdefault(case.id, _Open(case, last=case.last_finding))

    def _taker(self, template: CaseTemplate, finding: Finding) -> _Open | None:
        """The case that takes `finding`: an open one within the window, or a closed one come back."""
        key = opening.merge_key(template, finding)
        number = self._by_key.get(key)
        touched = self.cases.get(number) if number else self._load(self._tx.newest_case(key))
        while touched is not None and touched.case.state is State.DUPLICATE:
            touched = self.cases.get(touched.case.parent) or self._load(self._tx.case(touched.case.parent))
        if touched is None:
            return None
        self._by_key[key] = touched.case.id
        case = touched.case
        if case.state in (State.CLOSED, State.CLOSED_PENDING_CALLBACK):
            return self._come_back(touched, finding)
        recorded = case.state is State.RECORDED and finding.kind is FindingKind.RECORD
        if not case.open and not recorded:
            return None
        within = case.first_finding - template.window <= finding.time <= touched.last + template.window
        return touched if within else None

    def _come_back(self, touched: _Open, finding: Finding) -> _Open | None:
        case = touched.case
        recent = case.closed is None or self._now - case.closed <= REOPEN_WITHIN
        if finding.kind is FindingKind.RECORD or not recent or _held_back(finding):
            return None
        self._fold_in(touched)
        recurs = Message(N_("The same thing has happened again: {alarm}"), {"alarm": finding.alarm})
        self._advance(touched, Action(act=Act.REOPEN, actor=SYSTEM, message=recurs, **_spoken(finding)))
        self._send(touched, finding)
        return touched

    def _open(self, rule: Rule | None, template: CaseTemplate, finding: Finding) -> _Open:
        stem, counter = opening.case_number(self._prefix, self._site.zone, self._now)
        number = f"{stem}{self._tx.next_number(counter):04d}"
        case = opening.opened(self._site, rule, template, finding, number, self._now)
        earlier = self._by_key.get(case.merge_key, "")
        touched = _Open(replace(case, related=earlier), last=finding.time)
        self.cases[number] = touched
        self._by_key[case.merge_key] = number
        self.opened.append(number)
        said = Message(N_("Found by rule {rule}: {alarm}"), {"rule": finding.rule, "alarm": finding.alarm})
        if finding.kind is FindingKind.RECORD:
            over = Message(
                N_("Happened and was over while nobody could be told: {alarm}"), {"alarm": finding.alarm}
            )
            self._advance(touched, Action(act=Act.RECORD, actor=SYSTEM, message=over, **_spoken(finding)))
            return touched
        act = Act.RAISE if case.terms.urgent else Act.REPORT
        self._advance(touched, Action(act=act, actor=SYSTEM, message=said, **_spoken(finding)))
        self._send(touched, finding)
        return touched

    def _send(self, touched: _Open, finding: Finding) -> None:
        """Life safety goes to grid and department at once; anything else to the grid, if it has officers."""
        spoken = _spoken(finding)
        if touched.case.terms.urgent:
            if touched.case.terms.unit or any(touched.case.officers):
                told = Message(N_("Dispatched to grid and department in parallel."))
                self._advance(touched, Action(act=Act.DISPATCH, actor=SYSTEM, message=told, **spoken))
        elif narrowest_level(touched.case):
            self._advance(touched, Action(act=Act.HAND_TO_GRID, actor=SYSTEM, **spoken))

    def _advance(self, touched: _Open, action: Action) -> None:
        hours = opening.hours_of(self._site, touched.case.terms)
        outcome = advance(touched.case, action, self._now, hours)
        touched.case = outcome.case
        touched.entries.append(outcome.entry)

    # ------------------------------------------------------------------------------------- folding

    def _fold(
        self, touched: _Open, finding: Finding, template: CaseTemplate | None, *, new_alarm: bool
    ) -> None:
        touched.folded += 1
        touched.linked += new_alarm
        touched.last = max(touched.last, finding.time)
        touched.first = touched.first or finding
        if template is not None:
            touched.priority = min(touched.priority or template.priority, template.priority)
        self._evidence.append(
            EvidenceRow(touched.case.id, finding.time, "finding", alarm=finding.id, readings=finding.evidence)
        )

    def _fold_in(self, touched: _Open) -> None:
        """The findings counted so far become part of the case: one line of history."""
        if not touched.folded or touched.first is None:
            return
        case = touched.case
        begun = case.id in self.opened and case.findings == 0  # the opening line speaks of the first
        action = Action(
            act=Act.FOLD,
            actor=SYSTEM,
            folded=touched.folded,
            alarms=touched.linked,
            priority=touched.priority,
            finding_time=touched.last,
            message=_counted(touched.folded - begun, touched.first),
            **_spoken(touched.first),
        )
        before = len(touched.entries)
        self._advance(touched, action)
        if begun and touched.folded == 1:
            del touched.entries[before:]
        touched.folded = touched.linked = 0
        touched.first = None

    def _tell_case(self, alarm: Alarm, finding: Finding) -> None:
        touched = self._linked(alarm)
        if touched is not None:
            touched.told[finding.kind, finding.reason, finding.actor].append(alarm.alarm)

    def _say_alarms(self, touched: _Open) -> None:
        for (kind, reason, actor), names in touched.told.items():
            shown = ", ".join(names[:_NAMED_ALARMS])
            more = len(names) - _NAMED_ALARMS
            if more > 0:
                shown = f"{shown} … (+{more})"
            # the person's or the engine's words go beside the sentence, not into its template
            note = " · ".join(part for part in (actor, reason) if part)
            said = Message(_TOLD[kind], {"alarms": shown})
            self._advance(touched, Action(act=Act.ALARM, actor=SYSTEM, message=said, note=note))


def _template(rule: Rule | None, finding: Finding) -> CaseTemplate | None:
    """The case that `finding` asks for.

    A rule that judges values has its case for what they say; that its device is not heard is another
    matter, which the rule for silent devices takes care of.
    """
    if rule is None or rule.case is None or finding.no_data == rule.watches:
        return None
    return rule.case


def _held_back(finding: Finding) -> bool:
    """Whether an inhibitor's case stands for it already; a flapping alarm still gets its case."""
    return finding.suppressed_by not in ("", "flapping") and finding.kind is not FindingKind.RELEASED


def _spoken(finding: Finding) -> _Spoken:
    return {"rule": finding.rule, "rule_version": finding.version}


def _counted(count: int, first: Finding) -> Message:
    if count == 1:
        return Message(N_("Further finding: {alarm}"), {"alarm": first.alarm})
    return Message(N_("{count} further findings, the first: {alarm}"), {"count": count, "alarm": first.alarm})
