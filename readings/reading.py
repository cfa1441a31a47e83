"""What GridWarden knows after normalising: a canonical value of a registered device."""

import msgspec

from readings.lanes import Lane
from readings.quality import Quality
from readings.sample import Scalar


class Reading(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One canonical value: a point of a registered device, in its canonical unit and polarity.

    `time` is the event time, `received` the gateway's clock when the sample arrived, `taken` the
    edge's clock; nanoseconds since 1970-01-01 UTC. `time` is the device's own time where it has a
    plausible one, else the edge's, else (marked ``CLOCK_SUSPECT``) the receive time.

    A value that is unknown (NaN on the wire) is ``nan`` and carries ``NOT_A_NUMBER``.
    """

    device: str
    point: str
    value: Scalar
    time: int
    received: int
    taken: int
    quality: int = Quality.GOOD
    event: str = ""


class ReadingBatch(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The readings that came of one `SampleBatch`, under the same identity.

    A batch may hold fewer readings than its samples (the rest is in quarantine or was a duplicate);
    it is published even when empty, so that positions and books advance. `replayed` says that the
    samples had waited in the edge's outbox through an outage of the link.
    """

    edge: str
    lane: Lane
    seq: int
    readings: tuple[Reading, ...]
    replayed: bool = False
