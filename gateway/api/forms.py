"""What the form of a case's action asks for: the needs of the life cycle as fields with real choices."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

from cases.case import Case
from cases.guards import PRIORITIES
from cases.lifecycle import Available
from cases.proofs import asked
from cases.states import LETTERS, Act, Letter
from gateway.api.names import Names, both, labels, said
from gateway.api.schemas import Choice, FieldOut
from language import N_, translator
from registry.categories import EvidenceKind
from registry.site import Site

Kind = Literal["text", "choice", "date", "duration", "flag", "people", "units", "case", "proof"]

_FIELDS: Final[Mapping[str, tuple[Kind, str]]] = {
    "reason": ("text", N_("Reason")),
    "note": ("text", N_("Note")),
    "units": ("units", N_("Departments or teams")),
    "officer": ("people", N_("Officer")),
    "verifier": ("people", N_("Verifier")),
    "lead": ("choice", N_("Lead team")),
    "members": ("units", N_("Further teams")),
    "review": ("date", N_("Review date")),
    "extend_by": ("duration", N_("Extend by")),
    "priority": ("choice", N_("Priority")),
    "category": ("choice", N_("Category")),
    "parent": ("case", N_("Repeats the case")),
    "standard_met": ("flag", N_("The closing standard is met")),
    "milestone": ("choice", N_("Milestone")),
}

_MAY: Final[Mapping[Act, tuple[str, ...]]] = {
    Act.DISPATCH: ("units", "officer"),
    Act.FILE: ("category",),
    Act.FEEDBACK: ("evidence",),
    Act.FINISH_TASK: ("evidence",),
    Act.EVIDENCE: ("evidence",),
    Act.VERIFY: ("verifier",),
}
"""What may be given although the life cycle does not need it."""

_HINTS: Final[Mapping[EvidenceKind, str]] = {
    EvidenceKind.NOTE: N_("In your own words"),
    EvidenceKind.PHOTO: N_("Number or file name of the photo"),
    EvidenceKind.READING: N_("What the instrument shows; not needed once every linked alarm is over"),
    EvidenceKind.SIGNATURE: N_("Who signed, and the number of the paper"),
}
_ANOTHER: Final = N_("Another photo or paper")
_ANOTHER_HINT: Final = N_("Its number or file name")


class Forms:
    """Makes the fields of actions for one site, in one language. `others` are cases it may repeat."""

    def __init__(self, site: Site, names: Names, language: str, others: Sequence[Case] = ()) -> None:
        self._site = site
        self._names = names
        self._language = language
        self._others = others
        self._say = translator(language)

    def fields(self, case: Case, action: Available) -> list[FieldOut]:
        """Those needed first, then those that may be given, a note always."""
        may = [name for name in (*_MAY.get(action.act, ()), "note") if name not in action.needs]
        return [
            *self._fields(case, action.needs, required=True),
            *self._fields(case, may, required=False),
        ]

    def _fields(self, case: Case, names: Iterable[str], *, required: bool) -> Iterable[FieldOut]:
        for name in names:
            if name == "evidence":
                yield from self._proofs(case, required=required)
            else:
                yield self._field(case, name, required=required)

    def _proofs(self, case: Case, *, required: bool) -> Iterable[FieldOut]:
        """One field for each wanted proof that is not there yet, and one for whatever else there is."""
        for one in asked(case, case.proofs):
            if not one.done:
                wanted = one.wanted
                yield FieldOut(
                    name="evidence",
                    want=wanted.id,
                    label=said(wanted.label, self._language) or wanted.id,
                    kind="proof",
                    proof=wanted.kind,
                    hint=self._say(_HINTS[wanted.kind]),
                    required=required and wanted.required,
                )
        yield FieldOut(
            name="evidence",
            label=self._say(_ANOTHER),
            kind="proof",
            proof=EvidenceKind.PHOTO,
            hint=self._say(_ANOTHER_HINT),
            required=False,
        )

    def _field(self, case: Case, name: str, *, required: bool) -> FieldOut:
        kind, label = _FIELDS[name]
        choices = [Choice(value=value, label=words) for value, words in self._choices(case, name)]
        return FieldOut(name=name, label=self._say(label), kind=kind, choices=choices, required=required)

    def _choices(self, case: Case, name: str) -> Iterable[tuple[str, str]]:
        site = self._site
        match name:
            case "units" | "lead" | "members":
                found = {unit.id: unit.name for unit in site.units.values()}
                teams = {person.unit for person in site.people.values() if person.unit}
                found |= {team: both(team) for team in sorted(teams - found.keys())}
                return labels(found.items(), self._language)
            case "officer":
                return self._people(Letter.GRID, besides=(case.officer,))
            case "verifier":
                return self._people(Letter.VERIFIER, besides=case.handlers)
            case "priority":
                return [(one, one) for one in PRIORITIES if one != case.priority]
            case "category":
                return labels(((one.id, one.label) for one in site.categories.values()), self._language)
            case "milestone":
                return self._milestones(case)
            case "parent":
                return [
                    (one.id, f"{one.id} · {self._say(one.title_in(self._language.split('-')[0]))}")
                    for one in self._others
                    if one.id != case.id
                ]
        return ()

    def _people(self, letter: Letter, besides: Iterable[str]) -> list[tuple[str, str]]:
        hidden = {*besides}
        return [
            (
                one.id,
                f"{one.name} · {said(self._names.unit(one.unit), self._language)}" if one.unit else one.name,
            )
            for one in self._site.people.values()
            if letter in LETTERS[one.role] and one.id not in hidden
        ]

    def _milestones(self, case: Case) -> Sequence[tuple[str, str]]:
        category = self._site.categories.get(case.category)
        known = {mark.id: mark.label for mark in category.milestones} if category is not None else {}
        waiting = [mark.id for mark in case.clock.milestones if mark.reached is None]
        return labels(((mark, known.get(mark, {})) for mark in waiting), self._language)
