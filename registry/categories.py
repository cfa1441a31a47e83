"""Categories of cases: what is filed, how fast it is handled, and when it may be closed.

GRID.md asks for closing standards and limits as data in the site's configuration (``site.yaml``,
`categories`), after the phases of GB/T 30428. This room only describes them; cases/ lives by them.
"""

from enum import StrEnum

from pydantic import Field

from registry.model import Id, Model, Text
from registry.spans import Span


class EvidenceKind(StrEnum):
    """What sort of proof is asked for."""

    NOTE = "note"
    PHOTO = "photo"
    READING = "reading"
    """A stored reading that shows the new state: the detector is quiet, the door is shut."""
    SIGNATURE = "signature"


class EvidenceWanted(Model):
    """One proof that the handler adds before a case can be verified."""

    id: Id
    label: Text = Field(description="What is asked for, by language.")
    kind: EvidenceKind = EvidenceKind.NOTE
    required: bool = Field(True, description="Feedback is refused without it.")


class Milestone(Model):
    """A point on the way that has a limit of its own: arrived, cause known, cleared up."""

    id: Id
    label: Text = Field(description="What is reached, by language.")
    within: Span = Field(description="Since dispatch, on the category's clock: `5m`, `4h`, `1d`.")


class Category(Model):
    """A kind of case.

    Limits run on the wall clock when `calendar` is empty, else on the open hours of that calendar
    (an hour is an open hour, a day is a working day; see `registry.calendars.after`).
    """

    id: Id
    label: Text = Field(description="What people call it, by language.")
    urgent: bool = Field(
        False,
        description="Life safety: goes straight to FILED, dispatched to grid and department in parallel.",
    )
    filing: Text = Field({}, description="Filing condition: when such a case is opened, by language.")
    accept_within: Span = Field(
        description="Until somebody accepts it; then it goes to the next grid level up."
    )
    handle_within: Span = Field(description="From dispatch to feedback: the handling limit.")
    calendar: str = Field("", description="Calendar whose open hours the limits count; empty: wall clock.")
    milestones: tuple[Milestone, ...] = ()
    closing_standard: Text = Field(
        description="What must be true before the case may be closed, by language."
    )
    unit: str = Field(description="Responsible unit: the department or team it is dispatched to.")
    evidence: tuple[EvidenceWanted, ...] = Field((), description="What the handler has to show.")
