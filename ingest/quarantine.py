"""What could not be used, kept raw with the reason, so that it can be looked at and tried again."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple, Self

import msgspec

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


HOPELESS: Final = frozenset({Reason.MALFORMED})
"""Nothing here could understand it later either: the edge's drivers parse, not the core."""

UNCOUNTED: Final = frozenset({Reason.MALFORMED_BATCH, Reason.NUMBER_USED_BEFORE})
"""The books do not count its samples as quarantined: nobody knew them, or their number was another's."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Samples (or bytes) of one batch, one source and one reason.

    `raw` is a `readings.wire` sample batch of just these samples, so that it can be tried again; for
    `MALFORMED_BATCH` and `NUMBER_USED_BEFORE` the bytes as they came, for `REFUSED_BY_STORE` the line that
    was refused (its `source` is the device). `first` and `last` are their event times, `received` when the
    bus stored the batch; nanoseconds since 1970-01-01 UTC. `device` is what the source was registered as.
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
    received: int = 0
    device: str = ""

    @property
    def account(self) -> tuple[str, str]:
        """Source and device under which the books of its stage count it."""
        return ("", self.source) if self.reason is Reason.REFUSED_BY_STORE else (self.source, self.device)


@dataclass(frozen=True, slots=True)
class QuarantineRow:
    """A quarantine entry as it is kept: since `at`, tried `tries` times since, last at `tried` (0: never)."""

    id: int
    entry: Quarantined
    at: int
    tries: int = 0
    tried: int = 0


class EntryId(NamedTuple):
    """What people call an entry: the stage that keeps it, and its number there."""

    stage: str
    number: int

    def __str__(self) -> str:
        return f"{self.stage}-{self.number}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The id that `text` is; None when it is none."""
        stage, _, number = text.rpartition("-")
        if not stage or not (number.isascii() and number.isdecimal()) or len(number) > 18:
            return None
        return cls(stage, int(number))


class Selection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which entries are meant; what is empty does not matter. ``*`` in `source` stands for any text."""

    stage: str = ""
    edge: str = ""
    source: str = ""
    point: str = ""
    reason: str = ""
    entries: tuple[str, ...] = ()
    """Ids (`EntryId`) of single entries."""

    def numbers_at(self, stage: str) -> list[int] | None:
        """The numbers of the single entries that `stage` keeps; None when whole groups are meant."""
        if not self.entries:
            return None
        ids = (EntryId.parse(entry) for entry in self.entries)
        return [one.number for one in ids if one is not None and one.stage == stage]
