"""The shapes of the room: a case, what is done with it, and what its history keeps.

All are frozen; `cases.lifecycle` makes new ones. A case is complete in itself: it keeps the names, the
officers and the terms it was opened under, so it can be handled to its end after the device, the rule
or the category has left the site folder.
"""

from typing import Final

import msgspec

from cases.sla import Clock
from cases.states import ENDED, LETTERS, RANKS, RESIDENT_ROLE, SYSTEM_ROLE, Act, Letter, Rank, State
from language import Message
from registry.categories import EvidenceKind
from registry.grids import Person
from registry.spans import Length
from rules.findings import Condition, Severity

Text = dict[str, str]
"""A name by language: ``{"zh": …, "en": …}``."""


class Wanted(msgspec.Struct, frozen=True):
    """A proof that the category asks for."""

    id: str
    kind: EvidenceKind
    required: bool
    label: Text


class Terms(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the category demanded when the case was filed.

    `calendar` is the id of the hours that the limits count; empty: wall clock.
    """

    urgent: bool
    accept_within: Length
    handle_within: Length
    calendar: str = ""
    milestones: tuple[tuple[str, Length], ...] = ()
    closing_standard: Text = {}
    unit: str = ""
    evidence: tuple[Wanted, ...] = ()


class Proof(msgspec.Struct, frozen=True, omit_defaults=True):
    """One piece of evidence a person added: a note, a photo's or document's reference, a signature."""

    kind: EvidenceKind
    text: str
    want: str = ""
    """The wanted proof it answers, by id."""
    actor: str = ""
    time: int = 0


class Task(msgspec.Struct, frozen=True, omit_defaults=True):
    """The part of one team in a joint case."""

    team: str
    lead: bool = False
    done: int | None = None
    by: str = ""


class Standing(msgspec.Struct, frozen=True):
    """A linked alarm that is not over: still firing, or latched until somebody resets it."""

    alarm: str
    condition: Condition


class Timer(msgspec.Struct, frozen=True):
    """A deadline of the case: ``accept``, ``limit``, ``review`` or ``milestone:<id>``."""

    name: str
    at: int


class Case(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One case. Times in nanoseconds since 1970-01-01 UTC.

    `grids` and `officers` are the path of the place, level 1 to 3 (empty strings where there is none);
    `officer` is the grid officer responsible now (who was sent, then who accepted), `units` the
    departments it was dispatched to, `holder` who has it at this moment (a person's id, ``unit:<name>``,
    ``centre``, or empty when it is over).
    """

    id: str
    category: str
    terms: Terms
    opened: int
    changed: int
    state: State = State.NEW
    priority: str = "P3"
    title: str = ""
    """English template; `title_values` may hold names by language. See `title_in`."""
    title_values: dict[str, str | Text] = {}
    category_label: Text = {}
    merge_key: str = ""
    rule: str = ""
    rule_version: int = 0
    device: str = ""
    device_name: str = ""
    place: str = ""
    place_name: Text = {}
    building: str = ""
    floor: str = ""
    grids: tuple[str, ...] = ()
    officers: tuple[str, ...] = ()
    level: int = 0
    """The grid level that has it (3 → 2 → 1); 0 when no grid level has."""
    officer: str = ""
    units: tuple[str, ...] = ()
    holder: str = ""
    accepted: int | None = None
    dispatched: bool = False
    handlers: tuple[str, ...] = ()
    verifier: str = ""
    tasks: tuple[Task, ...] = ()
    clock: Clock = Clock()
    timers: tuple[Timer, ...] = ()
    proofs: tuple[Proof, ...] = ()
    resume_to: State | None = None
    rework: int = 0
    escalations: int = 0
    returns: int = 0
    reopened: int = 0
    callback_attempts: int = 0
    callback: str = ""
    """``satisfied``, ``unreachable``, ``skipped`` or empty."""
    standard_met_by: str = ""
    resident: str = ""
    """Reference of the resident's report; empty when no resident waits for an answer."""
    parent: str = ""
    related: str = ""
    """An earlier case of the same merge key whose window had passed."""
    first_finding: int = 0
    last_finding: int = 0
    findings: int = 0
    alarms: int = 0
    worst: Severity | None = None
    """The worst that any of its alarms ever was."""
    closed: int | None = None
    drill: bool = False
    standing: tuple[Standing, ...] = ()
    """Linked alarms that are not over; the store fills it in, it is not kept with the case."""

    @property
    def open(self) -> bool:
        """Whether somebody still has something to do."""
        return self.state not in ENDED

    @property
    def place_officer(self) -> str:
        """The grid officer nearest to the place, whoever has the case; empty where no grid has one."""
        return next(filter(None, reversed(self.officers)), "")

    @property
    def next_due(self) -> int | None:
        """The earliest deadline, for `cases.lifecycle.tick`."""
        return min((timer.at for timer in self.timers), default=None)

    @property
    def accept_by(self) -> int | None:
        """Until when somebody has to accept it."""
        return next((timer.at for timer in self.timers if timer.name == "accept"), None)

    def overdue_at(self, now: int) -> bool:
        """Whether it is open and past its limit."""
        limit = self.clock
        if not self.open or limit.due is None:
            return False
        return limit.overdue is not None or (limit.running and limit.due <= now)

    def title_in(self, language: str) -> Message:
        """The title for a language (``zh``, ``en``): its template, with the names in that language."""
        values = {
            key: value if isinstance(value, str) else value.get(language) or next(iter(value.values()), "")
            for key, value in self.title_values.items()
        }
        return Message(self.title, values)


class Actor(msgspec.Struct, frozen=True):
    """Who acts. `grids` and `unit` are what the person is responsible for."""

    id: str
    role: str
    name: str = ""
    unit: str = ""
    grids: tuple[str, ...] = ()
    rank: Rank = Rank.MEMBER

    @property
    def letters(self) -> frozenset[Letter]:
        """Which of GRID.md's actors this person may be."""
        return LETTERS.get(self.role, frozenset())


SYSTEM: Final = Actor("system", SYSTEM_ROLE)
RESIDENT: Final = Actor("resident", RESIDENT_ROLE)


def actor_of(person: Person, grids: tuple[str, ...] = ()) -> Actor:
    """The actor that a registered person is; `grids` are those whose officer they are."""
    rank = RANKS.get(person.role, Rank.MEMBER)
    return Actor(person.id, person.role.value, person.name, person.unit, grids, rank)


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to do. Fields that the action does not need are left out.

    `cases.actions.parse` makes one of an API body.
    """

    act: Act
    actor: Actor
    on_behalf_of: str = ""
    reason: str = ""
    note: str = ""
    message: Message | None = None
    """A sentence of the system's own (translated where shown)."""
    evidence: tuple[Proof, ...] = ()
    units: tuple[str, ...] = ()
    officer: str = ""
    verifier: str = ""
    lead: str = ""
    members: tuple[str, ...] = ()
    review: int | None = None
    extend_by: Length | None = None
    priority: str = ""
    category: str = ""
    terms: Terms | None = None
    """The terms of `category`, when filing changes it."""
    parent_id: str = ""
    parent: Case | None = None
    """The case of `parent_id`; the desk looks it up."""
    standard_met: bool = False
    rule: str = ""
    rule_version: int = 0
    folded: int = 0
    alarms: int = 0
    severity: Severity | None = None
    finding_time: int = 0
    milestone: str = ""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a case's history: written once, never changed."""

    case: str
    act: Act
    actor: str
    actor_name: str = ""
    role: str
    on_behalf_of: str = ""
    from_state: State
    to_state: State
    reason: str = ""
    note: str = ""
    template: str = ""
    values: dict[str, str | int] = {}
    """With `template`: the system's own sentence, translated where it is shown."""
    rule: str = ""
    rule_version: int = 0
    time: int
    holder: str = ""
    """Who has the case after this entry; the time per holder is counted from these."""

    @property
    def message(self) -> Message | None:
        """The system's own sentence, if it said one."""
        return Message(self.template, self.values) if self.template else None


class Outcome(msgspec.Struct, frozen=True):
    """A case after an action, and the line for its history; `parent` when another case changed too."""

    case: Case
    entry: Entry
    parent: "Outcome | None" = None


class Refused(Exception):
    """The action is not possible; `message` says what is missing, for the person who tried."""

    def __init__(self, message: Message) -> None:
        self.message = message
        super().__init__(str(message))
