"""Where readings are kept, and how they are asked for: one interface, three stores.

`Store` is what the writer needs, `History` what the API, charts and audits ask. The embedded store and
InfluxDB answer both with the same values; the one in memory is for tests of everything around it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from ingest.database import StoreUnavailable
from readings import ReadingBatch, Scalar
from registry.site import Site

__all__ = [
    "ROWS",
    "Bucket",
    "History",
    "LatestRow",
    "Row",
    "Series",
    "Store",
    "StoreUnavailable",
    "WriteLimits",
]

ROWS: Final = 10_000
"""Rows of a series that are given at once."""


@dataclass(frozen=True)
class WriteLimits:
    """How a store likes to be written to."""

    readings: int = 5_000
    """At most about so many readings a write (whole batches) …"""
    linger: float = 0.0
    """… or what has come after waiting so many seconds."""
    in_flight: int = 1
    """Writes of one lane that may be under way at the same time."""
    remote: bool = False
    """Whether it answers over a network: then silence is its trouble, not ours."""


@dataclass(frozen=True, slots=True)
class Row:
    """One stored reading of a series; times in ns since 1970 UTC.

    `quality` are `readings.Quality` bits, `received` the receive time where the device's clock was
    suspect (else None), `event` the occurrence's id or empty.
    """

    time: int
    value: Scalar
    quality: int = 0
    received: int | None = None
    event: str = ""


@dataclass(frozen=True, slots=True)
class Bucket:
    """The readings of a series in ``[time, time + width)``: the extremes stay, so no spike disappears.

    Switches count as 0 and 1, so `mean` is the part of the readings that were on. Readings that are no
    number (NaN) are left out.
    """

    time: int
    count: int
    minimum: float
    maximum: float
    mean: float


@dataclass(frozen=True, slots=True)
class Series:
    """What was asked of one series: `rows` or `buckets`, oldest first, the other empty.

    Words have no extremes: a series of words always comes as rows. `cut` says that the limit was reached
    and rows at the end are missing.
    """

    rows: tuple[Row, ...] = ()
    buckets: tuple[Bucket, ...] = ()
    width: int = 0
    cut: bool = False


@dataclass(frozen=True, slots=True)
class LatestRow:
    """The newest reading of one series."""

    device: str
    point: str
    row: Row


class Store(Protocol):
    """Takes batches of readings, each exactly once by its identity."""

    name: str
    limits: WriteLimits

    async def write(self, batches: Sequence[ReadingBatch], now: int) -> None:
        """Keep the batches durably, together with their identities and the books.

        A batch that was written before is passed over. Raises `StoreUnavailable`: then the same batches
        may be written again, and nothing counts twice.
        """

    async def let_go(self, batches: Sequence[ReadingBatch], now: int) -> None:
        """Have done with the batches without keeping them, and note in the books that they expired.

        A batch that was written before is passed over. Raises `StoreUnavailable`.
        """

    def set_site(self, site: Site) -> None:
        """Use this registry from the next write on (where devices hang, for stores that keep that)."""

    async def tidy(self, now: int) -> bool:
        """Do a small piece of housekeeping (retention); True when more is waiting to be done."""

    async def close(self) -> None:
        """Finish and let go."""


class History(Protocol):
    """Answers questions about stored readings. Every method may raise `StoreUnavailable`."""

    async def latest(self, devices: Sequence[str]) -> list[LatestRow]:
        """The newest reading of every series of the devices."""

    async def series(
        self,
        device: str,
        point: str,
        start: int,
        end: int,
        *,
        buckets: int | None = None,
        limit: int = ROWS,
    ) -> Series:
        """The readings with ``start <= time < end``, or about `buckets` summaries of them."""

    async def counts(self, start: int, end: int) -> Mapping[tuple[str, str], int]:
        """Stored readings per (device, point) with ``start <= time < end``."""


def bucket_width(start: int, end: int, buckets: int) -> int:
    """The width in ns that divides ``[start, end)`` into at most `buckets` parts."""
    return max(1, -((start - end) // max(1, buckets)))
