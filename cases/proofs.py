"""Which proofs a case wants from its handler, and which of them it has."""

from typing import NamedTuple

from cases.case import Action, Case, Proof, Wanted
from registry.categories import EvidenceKind


class Asked(NamedTuple):
    """A proof that the category asks for, and whether it is there.

    `itself`: the readings show it, because every linked alarm is over; nobody has to give it.
    """

    wanted: Wanted
    by: Proof | None = None
    itself: bool = False

    @property
    def done(self) -> bool:
        """Whether nobody has to give it any more."""
        return self.by is not None or self.itself


def proofs_of(case: Case, action: Action) -> tuple[Proof, ...]:
    """All evidence there would be after `action`; its note counts as one."""
    note = (Proof(EvidenceKind.NOTE, action.note.strip()),) if action.note.strip() else ()
    return (*case.proofs, *action.evidence, *note)


def asked(case: Case, proofs: tuple[Proof, ...]) -> list[Asked]:
    """Every proof that is wanted, in the category's order, as answered by `proofs`.

    A proof given for a wanted one answers it. One given for none answers a wanted one of its kind that
    has nothing else, those that are required first.
    """
    spare = [proof for proof in proofs if not proof.want]
    found: dict[str, Asked] = {}
    for wanted in sorted(case.terms.evidence, key=lambda one: not one.required):
        given = next((proof for proof in proofs if proof.want == wanted.id), None)
        itself = wanted.kind is EvidenceKind.READING and case.alarms > 0 and not case.standing
        if given is None and not itself:
            given = next((proof for proof in spare if proof.kind == wanted.kind), None)
            if given is not None:
                spare.remove(given)
        found[wanted.id] = Asked(wanted, given, itself)
    return [found[wanted.id] for wanted in case.terms.evidence]
