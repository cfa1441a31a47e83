"""The words of a case's life: states, actions, who takes part and how far they may go."""

from enum import IntEnum, StrEnum
from typing import Final

from language import N_
from registry.grids import Role


class State(StrEnum):
    """Where a case stands (GRID.md; the phases of GB/T 30428)."""

    NEW = "new"
    """Before its first entry; no stored case is in it."""
    REPORTED = "reported"
    SELF_HANDLING = "self_handling"
    FILED = "filed"
    REJECTED = "rejected"
    DISPATCHED = "dispatched"
    RETURNED = "returned"
    JOINT = "joint"
    IN_PROGRESS = "in_progress"
    FEEDBACK = "feedback"
    DEFERRED = "deferred"
    VERIFY = "verify"
    CLOSED_PENDING_CALLBACK = "closed_pending_callback"
    CLOSED = "closed"
    REOPENED = "reopened"
    DUPLICATE = "duplicate"
    RECORDED = "recorded"
    """Happened and was over before anybody could be told: kept, never dispatched."""


ENDED: Final = frozenset({State.REJECTED, State.CLOSED, State.DUPLICATE, State.RECORDED})
"""States in which nobody has anything left to do."""

OPEN: Final = frozenset(State) - ENDED - {State.NEW}

UNATTENDED: Final = frozenset(
    {
        State.REPORTED,
        State.FILED,
        State.RETURNED,
        State.FEEDBACK,
        State.DEFERRED,
        State.VERIFY,
        State.REOPENED,
    }
)
"""Open, and nobody is at the spot or on the way: the case is being judged, or waits."""


class Act(StrEnum):
    """What can be done with a case; `cases.table` says when, by whom and with what."""

    REPORT = "report"
    RAISE = "raise"
    RECORD = "record"
    HAND_TO_GRID = "hand_to_grid"
    ACCEPT = "accept"
    ESCALATE = "escalate"
    FILE = "file"
    REJECT = "reject"
    DISPATCH = "dispatch"
    RETURN = "return"
    ACCEPT_RETURN = "accept_return"
    REFUSE_RETURN = "refuse_return"
    JOIN = "join"
    FINISH_TASK = "finish_task"
    FEEDBACK = "feedback"
    DEFER = "defer"
    RESUME = "resume"
    EXTEND = "extend"
    VERIFY = "verify"
    APPROVE = "approve"
    REWORK = "rework"
    SATISFIED = "callback_satisfied"
    UNREACHED = "callback_unreached"
    DISSATISFIED = "callback_dissatisfied"
    SKIP_CALLBACK = "skip_callback"
    REOPEN = "reopen"
    DUPLICATE = "duplicate"
    NOTE = "note"
    EVIDENCE = "evidence"
    ON_MY_WAY = "on_my_way"
    REACH = "reach_milestone"
    HAND_OVER = "hand_over"
    PRIORITISE = "prioritise"
    RECALL = "recall"
    FOLD = "fold"
    ALARM = "alarm"
    OVERDUE = "overdue"
    MILESTONE = "milestone_missed"
    ADOPT = "adopt_duplicate"


class Letter(StrEnum):
    """GRID.md's actors."""

    SENSOR = "S"
    GRID = "G"
    CENTRE = "C"
    DEPARTMENT = "D"
    VERIFIER = "V"
    RESIDENT = "R"


class Rank(IntEnum):
    """How far a member of the smart centre may go; the second extension needs the chief."""

    MEMBER = 0
    SHIFT_LEAD = 1
    CHIEF = 2


SYSTEM_ROLE: Final = "system"
RESIDENT_ROLE: Final = "resident"

LETTERS: Final[dict[str, frozenset[Letter]]] = {
    SYSTEM_ROLE: frozenset({Letter.SENSOR}),
    RESIDENT_ROLE: frozenset({Letter.RESIDENT}),
    Role.ADMINISTRATOR: frozenset({Letter.CENTRE}),
    Role.SAFETY_OFFICER: frozenset({Letter.CENTRE, Letter.VERIFIER}),
    Role.SMART_CENTRE: frozenset({Letter.CENTRE}),
    Role.GRID_OFFICER: frozenset({Letter.GRID}),
    Role.DEPARTMENT: frozenset({Letter.DEPARTMENT}),
    Role.VERIFIER: frozenset({Letter.VERIFIER}),
    Role.VIEWER: frozenset(),
}
"""Which of GRID.md's actors each role may be."""

RANKS: Final[dict[str, Rank]] = {
    Role.SMART_CENTRE: Rank.SHIFT_LEAD,
    Role.SAFETY_OFFICER: Rank.CHIEF,
    Role.ADMINISTRATOR: Rank.CHIEF,
}
"""The rank a role brings: the smart centre's three people each lead their own shift."""

STATE_NAMES: Final[dict[State, str]] = {
    State.NEW: N_("New"),
    State.REPORTED: N_("Reported"),
    State.SELF_HANDLING: N_("With the grid"),
    State.FILED: N_("Filed"),
    State.REJECTED: N_("Rejected"),
    State.DISPATCHED: N_("Dispatched"),
    State.RETURNED: N_("Returned by the department"),
    State.JOINT: N_("Joint handling"),
    State.IN_PROGRESS: N_("In progress"),
    State.FEEDBACK: N_("Handled, to be verified"),
    State.DEFERRED: N_("Deferred"),
    State.VERIFY: N_("Being verified"),
    State.CLOSED_PENDING_CALLBACK: N_("Closed, call-back pending"),
    State.CLOSED: N_("Closed"),
    State.REOPENED: N_("Reopened"),
    State.DUPLICATE: N_("Duplicate"),
    State.RECORDED: N_("Record only"),
}

ACT_NAMES: Final[dict[Act, str]] = {
    Act.REPORT: N_("Report"),
    Act.RAISE: N_("Raise"),
    Act.RECORD: N_("Record"),
    Act.HAND_TO_GRID: N_("Hand to the grid"),
    Act.ACCEPT: N_("Accept"),
    Act.ESCALATE: N_("Pass to the next level"),
    Act.FILE: N_("File"),
    Act.REJECT: N_("Reject"),
    Act.DISPATCH: N_("Dispatch"),
    Act.RETURN: N_("Return"),
    Act.ACCEPT_RETURN: N_("Accept the return"),
    Act.REFUSE_RETURN: N_("Refuse the return"),
    Act.JOIN: N_("Start joint handling"),
    Act.FINISH_TASK: N_("Finish own task"),
    Act.FEEDBACK: N_("Report as handled"),
    Act.DEFER: N_("Defer"),
    Act.RESUME: N_("Resume"),
    Act.EXTEND: N_("Extend the limit"),
    Act.VERIFY: N_("Start verification"),
    Act.APPROVE: N_("Approve"),
    Act.REWORK: N_("Send back for rework"),
    Act.SATISFIED: N_("Resident satisfied"),
    Act.UNREACHED: N_("Resident not reached"),
    Act.DISSATISFIED: N_("Resident dissatisfied"),
    Act.SKIP_CALLBACK: N_("Skip the call-back"),
    Act.REOPEN: N_("Reopen"),
    Act.DUPLICATE: N_("Mark as duplicate"),
    Act.NOTE: N_("Add a note"),
    Act.EVIDENCE: N_("Add evidence"),
    Act.ON_MY_WAY: N_("On my way"),
    Act.REACH: N_("Milestone reached"),
    Act.HAND_OVER: N_("Hand over"),
    Act.PRIORITISE: N_("Change the priority"),
    Act.RECALL: N_("Dispatched anew"),
    Act.FOLD: N_("Another alarm joined"),
    Act.ALARM: N_("Alarm changed"),
    Act.OVERDUE: N_("Limit passed"),
    Act.MILESTONE: N_("Milestone missed"),
    Act.ADOPT: N_("Duplicate taken in"),
}
