"""What a driver saw on the wire, in the device's own words."""

from typing import Annotated

import msgspec

from readings.lanes import Lane

Nanoseconds = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
"""A time since 1970-01-01 UTC; from the bus only what a database can hold."""

Scalar = bool | int | float | str
"""A value of one point: a switch, a count, a measurement or a word."""


class Sample(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One value that one device reported, before the registry has given it a meaning.

    `source` is the native address: ``<connection>/<address>``, for example ``rs485-1/17`` or
    ``z2m/kitchen smoke 3``. Together with the edge's id it names one device in the registry.

    `point` and `unit` are the device's (or its profile's) words. `taken` is the edge's clock when the
    driver had the value, `time` the device's own clock, both in nanoseconds since 1970-01-01 UTC;
    `time` is 0 when the protocol carries no time.

    `event` names an occurrence for protocols that report one several times (a camera event's id);
    empty otherwise.
    """

    source: str
    point: str
    value: Scalar
    taken: Nanoseconds
    time: Nanoseconds = 0
    unit: str = ""
    event: str = ""


class SampleBatch(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Samples of one lane that one edge committed to its outbox together.

    ``(edge, lane, seq)`` is the batch's identity for its whole life: the outbox's key, the message id
    on the bus, and the unit in which the books count. `seq` has no gaps per outbox and lane; where an
    outbox begins to count says `readings.numbers`.
    """

    edge: str
    lane: Lane
    seq: int
    samples: tuple[Sample, ...]
