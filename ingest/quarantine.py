"""What could not be used, kept raw with the reason, so that it can be looked at and tried again."""

from dataclasses import dataclass
from enum import StrEnum

from language import Message
from readings import Lane


class Reason(StrEnum):
    """Why something is in quarantine; each calls for another remedy."""

    UNKNOWN_DEVICE = "unknown_device"
    """The edge heard a source that no device of the registry has. Register it."""
    UNKNOWN_POINT = "unknown_point"
    """The device's type has no such point. Extend the type, or let the driver ignore it."""
    UNKNOWN_UNIT = "unknown_unit"
    """No conversion from the sample's unit to the point's. Mend the type."""
    UNUSABLE_VALUE = "unusable_value"
    """The value cannot be one of this point's."""
    MALFORMED = "malformed"
    """The edge could not parse what the device sent; the raw bytes are in the sample."""
    MALFORMED_BATCH = "malformed_batch"
    """The bytes on the bus are no batch, or claim to be another edge's."""
    NUMBER_USED_BEFORE = "number_used_before"
    """A new batch under the number of one that is done: the edge's outbox is an older copy of itself."""
    REFUSED_BY_STORE = "refused_by_store"
    """The store will never take this point, for example because the field has another type there."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Samples (or bytes) of one batch, one source and one reason.

    `raw` is a `readings.wire` sample batch of just these samples, so that it can be tried again; for
    `MALFORMED_BATCH` and `NUMBER_USED_BEFORE` the bytes as they came, for `REFUSED_BY_STORE` the line that
    was refused. `first` and `last` are their event times, nanoseconds since 1970-01-01 UTC.
    """

    edge: str
    lane: Lane
    seq: int
    source: str
    point: str
    reason: Reason
    detail: Message
    raw: bytes
    samples: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class QuarantineRow:
    """A quarantine entry as it is kept; `at` is when it came in."""

    id: int
    entry: Quarantined
    at: int
