"""One call of the desk's `report`: findings in order, everything written once at the end.

What joins a case or changes in it is gathered here and becomes a few lines of history per case and call
(`cases.news`), so a burst of 500 findings costs 500 rows of evidence and a handful of everything else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypedDict

from msgspec.structs import replace

from cases import alarms as alarm_list
from cases import opening
from cases.alarms import Alarm
from cases.case import SYSTEM, Action, Case, Entry
from cases.deliveries import Delivery, Receiver, about_alarm, about_case
from cases.guards import REOPEN_WITHIN, narrowest_level, reachable
from cases.lifecycle import advance
from cases.news import OPENING, News, Told, calls, changing, held_back, joining
from cases.states import UNATTENDED, Act, State
from cases.store.shapes import FINDING_EVIDENCE, EvidenceRow
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


@dataclass(slots=True)
class _Open:
    """A case that this call touches; `news` are what its history has not told yet."""

    case: Case
    entries: list[Entry] = field(default_factory=list)
    last: int = 0
    news: dict[Told, News] = field(default_factory=dict)


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
        self._known: dict[str, Alarm] = {}
        self._findings: list[Finding] = []
        self._evidence: list[EvidenceRow] = []
        self._deliveries: list[Delivery] = []

    def take(self, findings: Sequence[Finding]) -> None:
        """Work through `findings` in their order."""
        self._findings += findings
        ids = {finding.id for finding in findings} | {finding.earlier_id for finding in findings}
        self._known |= self._tx.alarms(ids)
        for finding in findings:
            before = self._alarm(finding.id) or alarm_list.first_seen(finding)
            alarm = alarm_list.after(before, finding)
            if finding.kind in _JOINS:
                alarm = self._to_case(before, alarm, finding)
            elif alarm.case:
                self._tell_case(alarm, finding)
            self.alarms[alarm.id] = alarm
            self._deliveries += about_alarm(self._receivers, alarm, finding, self._now)

    def close(self) -> None:
        """Write everything."""
        for touched in self.cases.values():
            self._tell(touched)
        self._tx.put_alarms(self.alarms.values())
        self._tx.add_findings(self._findings)
        self._tx.add_evidence(self._evidence)
        changed = [(touched.case, touched.entries) for touched in self.cases.values() if touched.entries]
        for case, entry, number in self._tx.put_cases(changed):
            self._deliveries += about_case(self._receivers, case, entry, number, self._now)
        self._tx.add_deliveries(self._deliveries)

    # ------------------------------------------------------------------------------ finding → case

    def _alarm(self, number: str) -> Alarm | None:
        return self.alarms.get(number) or self._known.get(number)

    def _to_case(self, before: Alarm, alarm: Alarm, finding: Finding) -> Alarm:
        rule = self._rules.get(finding.rule)
        template = _template(rule, finding)
        touched = self._linked(alarm) if alarm.case else None
        if touched is None or not self._keeps(touched.case, before, finding):
            if template is None:
                return alarm
            touched = self._taker(template, before, finding) or self._opened(rule, template, finding)
        if touched is None:
            return alarm
        self._fold(touched, alarm, before, finding, template)
        return replace(alarm, case=touched.case.id)

    def _keeps(self, case: Case, before: Alarm, finding: Finding) -> bool:
        """Whether the case that has the alarm goes on with it; one that was approved must be reopened."""
        return case.open and not (case.state is State.CLOSED_PENDING_CALLBACK and calls(before, finding))

    def _linked(self, alarm: Alarm) -> _Open | None:
        return self.cases.get(alarm.case) or self._load(self._tx.case(alarm.case))

    def _load(self, case: Case | None) -> _Open | None:
        if case is None:
            return None
        # what this call has done to it counts, not what was read again
        return self.cases.setdefault(case.id, _Open(case, last=case.last_finding))

    def _taker(self, template: CaseTemplate, before: Alarm, finding: Finding) -> _Open | None:
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
        if self._is_urgent(template) and not case.terms.urgent:
            return None  # filed anew as something that may wait: what may not wait gets a case of its own
        if case.state in (State.CLOSED, State.CLOSED_PENDING_CALLBACK):
            return self._come_back(touched, before, finding)
        recorded = case.state is State.RECORDED and finding.kind is FindingKind.RECORD
        if not case.open and not recorded:
            return None
        within = case.first_finding - template.window <= finding.time <= touched.last + template.window
        return touched if within else None

    def _is_urgent(self, template: CaseTemplate) -> bool:
        category = self._site.categories.get(template.category)
        return category is not None and category.urgent

    def _come_back(self, touched: _Open, before: Alarm, finding: Finding) -> _Open | None:
        case = touched.case
        recent = case.closed is None or self._now - case.closed <= REOPEN_WITHIN
        if not recent or not calls(before, finding):
            return None
        self._tell(touched)
        recurs = Message(N_("The same thing has happened again: {alarm}"), {"alarm": finding.alarm})
        self._advance(touched, Action(act=Act.REOPEN, actor=SYSTEM, message=recurs, **_spoken(finding)))
        self._send(touched, finding)
        return touched

    def _opened(self, rule: Rule | None, template: CaseTemplate, finding: Finding) -> _Open | None:
        """A new case, when the finding is one that opens cases."""
        if finding.kind not in _OPENS or held_back(finding):
            return None
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
                N_("Happened and was over while nobody could be told: {alarms}"), {"alarms": finding.alarm}
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
            if reachable(touched.case):
                told = Message(N_("Dispatched to grid and department in parallel."))
                self._advance(touched, Action(act=Act.DISPATCH, actor=SYSTEM, message=told, **spoken))
        elif narrowest_level(touched.case):
            self._advance(touched, Action(act=Act.HAND_TO_GRID, actor=SYSTEM, **spoken))

    def _advance(self, touched: _Open, action: Action) -> None:
        hours = opening.hours_of(self._site, touched.case.terms)
        outcome = advance(touched.case, action, self._now, hours)
        touched.case = outcome.case
        touched.entries.append(outcome.entry)

    def _recall(self, touched: _Open, finding: Finding) -> None:
        """Whoever had it in hand has given it away, and it burns again."""
        self._tell(touched)
        again = Message(
            N_(
                "A new alarm while nobody had the case in hand; dispatched again to grid and department in "
                "parallel: {alarm}"
            ),
            {"alarm": finding.alarm},
        )
        units = touched.case.units
        self._advance(
            touched,
            Action(act=Act.RECALL, actor=SYSTEM, message=again, units=units, **_spoken(finding)),
        )

    # ------------------------------------------------------------------------------------- folding

    def _fold(
        self,
        touched: _Open,
        alarm: Alarm,
        before: Alarm,
        finding: Finding,
        template: CaseTemplate | None,
    ) -> None:
        case = touched.case
        begins = case.id in self.opened and case.findings == 0 and not touched.news
        linked = alarm.case == case.id
        earlier = self._alarm(finding.earlier_id)
        again = earlier is not None and earlier.case == case.id
        told = OPENING if begins else joining(before, finding, linked=linked, earlier=again)
        news = touched.news.setdefault(told, News(finding))
        news.alarms[alarm.alarm] = None
        news.findings += 1
        news.linked += not linked
        news.last = touched.last = max(touched.last, finding.time)
        news.severity = min(news.severity or alarm.worst, alarm.worst, key=lambda one: one.rank)
        if template is not None:
            news.priority = min(news.priority or template.priority, template.priority)
        self._evidence.append(
            EvidenceRow(case.id, finding.time, FINDING_EVIDENCE, alarm=finding.id, readings=finding.evidence)
        )
        if case.terms.urgent and case.state in UNATTENDED and reachable(case) and calls(before, finding):
            self._recall(touched, finding)

    def _tell_case(self, alarm: Alarm, finding: Finding) -> None:
        told = changing(finding)
        touched = self._linked(alarm) if told is not None else None
        if told is not None and touched is not None:
            touched.news.setdefault(told, News(finding)).alarms[alarm.alarm] = None

    def _tell(self, touched: _Open) -> None:
        """What has been gathered becomes part of the case: a line of history for each sentence."""
        for told, news in touched.news.items():
            action = Action(
                act=told.act,
                actor=SYSTEM,
                message=news.message(told),
                note=told.note,
                folded=news.findings,
                alarms=news.linked,
                severity=news.severity,
                priority=news.priority,
                finding_time=news.last,
                **_spoken(news.first),
            )
            self._advance(touched, action)
            if told is OPENING:
                touched.entries.pop()
        touched.news.clear()


def _template(rule: Rule | None, finding: Finding) -> CaseTemplate | None:
    """The case that `finding` asks for.

    A rule that judges values has its case for what they say; that its device is not heard is another
    matter, which the rule for silent devices takes care of.
    """
    if rule is None or rule.case is None or finding.no_data == rule.watches:
        return None
    return rule.case


def _spoken(finding: Finding) -> _Spoken:
    return {"rule": finding.rule, "rule_version": finding.version}
