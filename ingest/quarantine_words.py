"""What people are told about the reasons of the quarantine: their names, and what to do."""

from collections.abc import Mapping
from typing import Final

from ingest.quarantine import Reason
from language import N_, Message

_NAMES: Final[Mapping[Reason, str]] = {
    Reason.UNKNOWN_DEVICE: N_("unknown device"),
    Reason.UNKNOWN_POINT: N_("unknown point"),
    Reason.UNKNOWN_UNIT: N_("unknown unit"),
    Reason.UNUSABLE_VALUE: N_("unusable value"),
    Reason.MALFORMED: N_("not understood by the edge"),
    Reason.MALFORMED_BATCH: N_("no batch of samples"),
    Reason.NUMBER_USED_BEFORE: N_("number used before"),
    Reason.REFUSED_BY_STORE: N_("refused by the store"),
}
_REMEDIES: Final[Mapping[Reason, str]] = {
    Reason.UNKNOWN_DEVICE: N_("Register the device in devices.csv (edge and source as shown), then retry."),
    Reason.UNKNOWN_POINT: N_("Add the point to the device's type, then retry; or drop it."),
    Reason.UNKNOWN_UNIT: N_("Mend the unit in the device's type, then retry."),
    Reason.UNUSABLE_VALUE: N_(
        "Look at the value: mend the type (kind, states, true_when) and retry, or drop it."
    ),
    Reason.MALFORMED: N_("Look at the bytes and the wiring; it cannot be tried again, so drop it at last."),
    Reason.MALFORMED_BATCH: N_(
        "Somebody published what is no batch: find out who may. A newer version may read it; retry then."
    ),
    Reason.NUMBER_USED_BEFORE: N_(
        "Stop that edge, delete its outbox.db, start it again; then retry: nothing counts twice."
    ),
    Reason.REFUSED_BY_STORE: N_("Mend the cause in the store (often a field of another type), then retry."),
}


def name(reason: Reason) -> Message:
    """What the reason is called."""
    return Message(_NAMES[reason])


def remedy(reason: Reason) -> Message:
    """What to do about it."""
    return Message(_REMEDIES[reason])
