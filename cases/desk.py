"""The desk: what the engine finds becomes alarms, and alarms become cases.

The desk keeps nothing between calls: all it knows is the site, the rules and who is to be told, so a
transaction that failed can be tried again as it was. Every call works inside the caller's transaction.
"""

from collections.abc import Iterable, Sequence

import msgspec

from cases import opening, outside
from cases.case import SYSTEM, Action, Actor, Case, Entry, Outcome, Refused
from cases.deliveries import Receiver, about_case
from cases.lifecycle import advance, tick
from cases.sitting import Sitting
from cases.states import Act
from cases.store.shapes import EvidenceRow
from cases.store.transaction import Transaction
from language import N_, Message
from registry.site import Site
from rules.commands import Acknowledge, Reset
from rules.findings import Finding
from rules.model import Rule


class Changes(msgspec.Struct, frozen=True):
    """What a call changed: ids of alarms and numbers of cases; `opened` are the new ones among them."""

    alarms: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    opened: tuple[str, ...] = ()


class NoSuchCase(LookupError):
    """There is no case of that number."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a person reports: a category of the site, a place, in their words.

    `resident` refers to the resident who waits for an answer; empty when nobody does.
    """

    category: str
    place: str
    title: str = ""
    note: str = ""
    priority: str = "P3"
    resident: str = ""


class Desk:
    """Takes findings, people's actions and the passing of time to the alarms and cases of one site."""

    def __init__(
        self,
        site: Site,
        rules: Iterable[Rule] = (),
        *,
        prefix: str = "BH",
        receivers: Sequence[Receiver] = (),
    ) -> None:
        """`prefix` begins every case number; without `receivers` nothing is put into the outbox."""
        self._site = site
        self._rules = {rule.id: rule for rule in rules}
        self._prefix = prefix
        self._receivers = tuple(receivers)

    def set_site(self, site: Site, rules: Iterable[Rule] | None = None) -> None:
        """Go on with another site, and other rules if given. Open cases keep what they were opened with."""
        self._site = site
        if rules is not None:
            self._rules = {rule.id: rule for rule in rules}

    def report(self, findings: Sequence[Finding], tx: Transaction, now: int) -> Changes:
        """Keep `findings` (in the engine's order): alarm rows, timelines, cases, evidence, messages."""
        if not findings:
            return Changes()
        sitting = Sitting(self._site, self._rules, self._receivers, self._prefix, tx, now)
        sitting.take(findings)
        sitting.close()
        changed = tuple(number for number, touched in sitting.cases.items() if touched.entries)
        return Changes(tuple(sitting.alarms), changed, tuple(sitting.opened))

    def hear(self, notices: Iterable[outside.Notice], tx: Transaction, now: int) -> Changes:
        """Keep what somebody who watches from outside says of its alarms."""
        alarms: list[str] = []
        for notice in notices:
            finding = outside.said(notice, tx.latest_alarm(notice.rule, notice.alarm), now)
            if finding is not None:
                alarms += self.report([finding], tx, now).alarms
        return Changes((*alarms,))

    def command(self, command: Acknowledge | Reset, tx: Transaction, now: int) -> Changes:
        """An operator's act on an alarm from outside. Raises `rules.commands.Refused`."""
        alarm = tx.latest_alarm(command.alarm.partition(":")[0], command.alarm)
        finding = outside.commanded(command, alarm, now)
        return self.report([finding] if finding is not None else [], tx, now)

    def act(self, tx: Transaction, number: str, action: Action, now: int) -> Case:
        """Do `action` with case `number`; gives the case afterwards.

        Raises `NoSuchCase`, and `Refused` with the sentence for whoever tried.
        """
        case = tx.case(number)
        if case is None:
            raise NoSuchCase(number)
        action = self._completed(tx, _with_kinds(case, action))
        hours = opening.hours_of(self._site, case.terms)
        outcome = advance(case, action, now, hours)
        outcomes = [outcome, *([outcome.parent] if outcome.parent else [])]
        if outcome.parent is not None:
            tx.relink_alarms(case.id, outcome.parent.case.id)
        self._keep(tx, [(one.case, [one.entry]) for one in outcomes], now)
        tx.add_evidence(_proofs(case, outcome))
        return outcome.case

    def file(self, tx: Transaction, report: Report, actor: Actor, now: int) -> Case:
        """Open the case that a person reports. Raises `Refused` for an unknown category or place."""
        category = self._site.categories.get(report.category)
        if category is None:
            raise Refused(Message(N_("There is no category `{category}`."), {"category": report.category}))
        if report.place not in self._site.places:
            raise Refused(Message(N_("There is no place `{place}`."), {"place": report.place}))
        stem, counter = opening.case_number(self._prefix, self._site.zone, now)
        case = opening.reported(
            self._site,
            category,
            report.place,
            f"{stem}{tx.next_number(counter):04d}",
            now,
            title=report.title,
            priority=report.priority,
            resident=report.resident,
        )
        hours = opening.hours_of(self._site, case.terms)
        outcome = advance(case, Action(act=Act.REPORT, actor=actor, note=report.note), now, hours)
        entries = [outcome.entry]
        if any(outcome.case.officers):
            outcome = advance(outcome.case, Action(act=Act.HAND_TO_GRID, actor=SYSTEM), now, hours)
            entries.append(outcome.entry)
        self._keep(tx, [(outcome.case, entries)], now)
        return outcome.case

    def tick(self, tx: Transaction, now: int, limit: int = 500) -> Changes:
        """Do what the deadlines that have passed ask for, at most `limit` cases at once."""
        changed: list[tuple[Case, list[Entry]]] = []
        for case in tx.cases_due(now, limit):
            outcomes = tick(case, now, opening.hours_of(self._site, case.terms))
            if outcomes:
                changed.append((outcomes[-1].case, [outcome.entry for outcome in outcomes]))
        self._keep(tx, changed, now)
        return Changes(cases=tuple(case.id for case, _ in changed))

    def _keep(self, tx: Transaction, changed: Sequence[tuple[Case, Sequence[Entry]]], now: int) -> None:
        for case, entry, number in tx.put_cases(changed):
            tx.add_deliveries(about_case(self._receivers, case, entry, number, now))

    def _completed(self, tx: Transaction, action: Action) -> Action:
        """`action` with what its ids refer to."""
        if action.officer and action.officer not in self._site.people:
            raise Refused(Message(N_("There is no person `{person}`."), {"person": action.officer}))
        if action.verifier and action.verifier not in self._site.people:
            raise Refused(Message(N_("There is no person `{person}`."), {"person": action.verifier}))
        if action.parent_id:
            parent = tx.case(action.parent_id)
            if parent is None:
                raise Refused(Message(N_("There is no case {case}."), {"case": action.parent_id}))
            action = msgspec.structs.replace(action, parent=parent)
        if action.category:
            category = self._site.categories.get(action.category)
            if category is None:
                text = N_("There is no category `{category}`.")
                raise Refused(Message(text, {"category": action.category}))
            action = msgspec.structs.replace(action, terms=opening.terms_of(category))
        return action


def _with_kinds(case: Case, action: Action) -> Action:
    """`action` with each proof that is given for a wanted one of the kind that is wanted."""
    kinds = {wanted.id: wanted.kind for wanted in case.terms.evidence}
    for proof in action.evidence:
        if proof.want and proof.want not in kinds:
            raise Refused(Message(N_("This case asks for no proof `{proof}`."), {"proof": proof.want}))
    evidence = tuple(
        msgspec.structs.replace(proof, kind=kinds.get(proof.want, proof.kind)) for proof in action.evidence
    )
    return msgspec.structs.replace(action, evidence=evidence)


def _proofs(before: Case, outcome: Outcome) -> list[EvidenceRow]:
    """What people showed with an action; kept for good, also when a rework asks for new evidence."""
    known = len(before.proofs)
    return [
        EvidenceRow(before.id, proof.time, proof.kind.value, "", proof.want, proof.text, proof.actor)
        for proof in outcome.case.proofs[known:]
    ]
