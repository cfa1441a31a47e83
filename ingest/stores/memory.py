"""A store in memory, for tests of what lies around a store."""

import math
from collections.abc import Iterable, Mapping, Sequence

from ingest.sequences import BatchId
from ingest.stores import ROWS, Bucket, LatestRow, Row, Series, StoreUnavailable, WriteLimits, bucket_width
from readings import Quality, Reading, ReadingBatch
from registry.site import Site


class MemoryStore:
    """Keeps everything until the process ends; `fail_next` makes it refuse writes."""

    def __init__(self, name: str = "memory", limits: WriteLimits | None = None) -> None:
        self.name = name
        self.limits = limits or WriteLimits()
        self.batches: dict[BatchId, ReadingBatch] = {}
        self.gone: list[BatchId] = []
        """What was let go."""
        self.fail_next = 0
        """So many writes raise `StoreUnavailable` from now on."""

    async def write(self, batches: Sequence[ReadingBatch], now: int) -> None:
        """Keep the batches that are new."""
        if self.fail_next:
            self.fail_next -= 1
            raise StoreUnavailable("told to fail")
        for batch in batches:
            self.batches.setdefault(BatchId(batch.edge, batch.lane, batch.seq), batch)

    async def let_go(self, batches: Sequence[ReadingBatch], now: int) -> None:
        """Note the batches."""
        self.gone += [BatchId(batch.edge, batch.lane, batch.seq) for batch in batches]

    def set_site(self, site: Site) -> None:
        """The site changes nothing here: readings are kept by device."""

    async def tidy(self, now: int) -> bool:
        """Nothing to do."""
        return False

    async def close(self) -> None:
        """Nothing to let go."""

    async def latest(self, devices: Sequence[str]) -> list[LatestRow]:
        """The newest reading of every series of the devices."""
        newest: dict[tuple[str, str], Reading] = {}
        for reading in self._readings():
            key = (reading.device, reading.point)
            if reading.device in devices and (key not in newest or newest[key].time <= reading.time):
                newest[key] = reading
        return [LatestRow(device, point, row(reading)) for (device, point), reading in sorted(newest.items())]

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
        found = sorted(
            (
                row(reading)
                for reading in self._readings()
                if (reading.device, reading.point) == (device, point) and start <= reading.time < end
            ),
            key=lambda stored: stored.time,
        )
        if buckets is None or any(isinstance(stored.value, str) for stored in found):
            return Series(rows=tuple(found[:limit]), cut=len(found) > limit)
        width = bucket_width(start, end, buckets)
        return Series(buckets=summarise(found, start, width), width=width)

    async def counts(self, start: int, end: int) -> Mapping[tuple[str, str], int]:
        """Stored readings per (device, point)."""
        counts: dict[tuple[str, str], int] = {}
        for reading in self._readings():
            if start <= reading.time < end:
                key = (reading.device, reading.point)
                counts[key] = counts.get(key, 0) + 1
        return counts

    def _readings(self) -> Iterable[Reading]:
        return (reading for batch in self.batches.values() for reading in batch.readings)


def row(reading: Reading) -> Row:
    """The reading as a store gives it back."""
    suspect = reading.quality & Quality.CLOCK_SUSPECT
    received = reading.received if suspect else None
    return Row(reading.time, reading.value, int(reading.quality), received, reading.event)


def summarise(rows: Iterable[Row], start: int, width: int) -> tuple[Bucket, ...]:
    """Buckets of `width` ns from `start` on, of rows in order of time; empty ones are missing."""
    values: dict[int, list[float]] = {}
    for stored in rows:
        if not isinstance(stored.value, str) and not math.isnan(stored.value):
            values.setdefault((stored.time - start) // width, []).append(float(stored.value))
    return tuple(
        Bucket(start + number * width, len(found), min(found), max(found), math.fsum(found) / len(found))
        for number, found in values.items()
    )
