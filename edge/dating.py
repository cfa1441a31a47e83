"""Times of a box that did not know the time: the machine's uptime stands for them until it does.

A `Sample.taken` before `FLOOR` is nanoseconds since the machine was started (CLOCK_BOOTTIME). Only together
with the boot that it belongs to, and with when that was, does it become a time. No file and no clock here.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from msgspec.structs import replace

from readings import Sample, SampleBatch, wire

SECOND: Final = 1_000_000_000
FLOOR: Final = 1_704_067_200 * SECOND
"""2024-01-01: no machine that runs this can have an earlier time, and none has been up for so long."""


class Start(NamedTuple):
    """When a boot of the machine began."""

    at: int
    """ns since 1970 UTC; what is to be added to an uptime."""
    exact: bool = True
    """False: it is only known what came before and what after."""


Starts = Mapping[str, Start]
"""By the boot's id."""


def dated(samples: Iterable[Sample], start: Start) -> list[Sample]:
    """`samples` with the times that their uptimes stand for; what has a time stays as it is.

    Where the start is not exact the uptime stays as the device's time: the normaliser passes it over, and so
    marks the reading (``CLOCK_SUSPECT``).
    """
    return [sample if sample.taken >= FLOOR else _dated(sample, start) for sample in samples]


def _dated(sample: Sample, start: Start) -> Sample:
    time = sample.time if start.exact else sample.time or sample.taken or 1
    return replace(sample, taken=start.at + sample.taken, time=time)


def undated(samples: Iterable[Sample]) -> int:
    """How many of `samples` have no time yet."""
    return sum(sample.taken < FLOOR for sample in samples)


def dated_payload(payload: bytes, start: Start) -> tuple[bytes, int]:
    """The batch in `payload` with true times, and of how many samples they are."""
    batch = wire.decode_samples(payload)
    samples = tuple(dated(batch.samples, start))
    return wire.encode(SampleBatch(batch.edge, batch.lane, batch.seq, samples)), undated(batch.samples)
