"""Batches on the bus: their bytes, and what the normaliser makes of arbitrary samples."""

import math
from collections import Counter

import msgspec

from ingest.normaliser import DUPLICATE, PASSED, QUARANTINED, Normaliser
from ingest.series_marks import Marks
from readings import Lane, Reading, ReadingBatch, Sample, SampleBatch, wire
from tests.fuzz.target import Target, same
from tests.ingest.world import NOW, sample, small_site

INT64 = range(-(1 << 63), 1 << 63)


def conserved(batch: SampleBatch, received: int = NOW) -> None:
    """Every sample of `batch` is a reading, in quarantine or a duplicate, and the books say so."""
    normaliser = Normaliser(small_site(), {lane: Marks() for lane in Lane})
    made = normaliser.normalise(batch, received)
    counted: Counter[str] = Counter()
    for count in made.counts:
        assert count.n > 0
        counted[count.outcome] += count.n
    assert counted.total() == len(batch.samples)
    assert counted[PASSED] == len(made.batch.readings)
    assert counted[QUARANTINED] == sum(entry.samples for entry in made.quarantined)
    kept = [one for entry in made.quarantined for one in wire.decode_samples(entry.raw).samples]
    assert len(kept) == counted[QUARANTINED]
    assert len(batch.samples) == len(made.batch.readings) + len(kept) + counted[DUPLICATE]
    for entry in made.quarantined:
        assert entry.first in INT64
        assert entry.last in INT64
        assert str(entry.detail)
    assert len({(one.device, one.point, one.time) for one in made.batch.readings}) == counted[PASSED]
    for reading in made.batch.readings:
        _canonical(reading)
    arrived = wire.decode_readings(wire.encode(made.batch))
    for one, other in zip(made.batch.readings, arrived.readings, strict=True):
        assert same(msgspec.to_builtins(one), msgspec.to_builtins(other))


def _canonical(reading: Reading) -> None:
    assert reading.time in INT64
    assert reading.taken in INT64
    assert isinstance(reading.value, bool | float | str)
    assert not isinstance(reading.value, float) or not math.isinf(reading.value)
    assert not isinstance(reading.value, str) or len(reading.value) <= 1000


def _check_samples(data: bytes) -> None:
    try:
        batch = wire.decode_samples(data)
    except wire.MalformedBatch:
        return
    again = wire.decode_samples(wire.encode(batch))
    assert same(msgspec.to_builtins(batch), msgspec.to_builtins(again))
    conserved(batch)


def _check_readings(data: bytes) -> None:
    try:
        batch = wire.decode_readings(data)
    except wire.MalformedBatch:
        return
    again = wire.decode_readings(wire.encode(batch))
    assert same(msgspec.to_builtins(batch), msgspec.to_builtins(again))


_SAMPLES = wire.encode(
    SampleBatch(
        "edge-1",
        Lane.ALARM,
        7,
        (
            sample("smoke-1", "smoke", True),
            sample("climate-1", "temperature", 21.5, NOW - 5, time=NOW - 10),
            sample("climate-1", "mode", 1),
            sample("door-1", "action", "knock", event="e1"),
            Sample("z2m/nobody", "!malformed", "AAAA", NOW, event="why"),
        ),
    )
)
_READINGS = wire.encode(
    ReadingBatch(
        "edge-1",
        Lane.TELEMETRY,
        7,
        (
            Reading("climate-1", "temperature", 21.5, NOW, NOW, NOW),
            Reading("door-1", "event", "knock", NOW, NOW, NOW, 4, "e1"),
        ),
        replayed=True,
    )
)
_WORDS = (
    b"\x90", b"\xc0", b"\xc3", b"\xca\x7f\xc0\x00\x00", b"\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00",
    b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", b"\xd3\x80\x00\x00\x00\x00\x00\x00\x00", b"\xdd\xff\xff\xff\xff",
    b"\xa1\xff", b"\xdb\xff\xff\xff\xff", b"\xc7\x00\x01", b"\xd9\x00", b"\x80", b"\x91",
)  # fmt: skip

TARGETS = (
    Target("wire-samples", _check_samples, (_SAMPLES,), _WORDS, runs=150, hostile=(
        _SAMPLES[:-1] + b"\x91" * 100_000,
        b"\x01\x95\xa2ab\xa5alarm\x01\x90" + b"\x91" * 1_000_000,
        b"\x01\x94\xa6edge-1\xa5alarm\x01\xdd\x7f\xff\xff\xff" + b"\x90" * 1000,
    )),
    Target("wire-readings", _check_readings, (_READINGS,), _WORDS, runs=150, hostile=(
        b"\x01\x96\xa2ab\xa5alarm\x01\x90\xc2" + b"\x91" * 1_000_000,
    )),
)  # fmt: skip
