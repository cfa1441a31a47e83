"""From samples in a device's words to readings in GridWarden's.

The middle is pure: no clock, file or socket. What a batch becomes depends only on its samples, when the
bus stored it, the site, and the marks of the series; so a batch that is delivered again before it was
committed becomes the same readings.

The work for one sample is a lookup, a compiled conversion and a dictionary probe (about 1.5 µs); what
needs the registry is done once per source, point and unit and kept until the site changes.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Final, NamedTuple, Protocol

from ingest.clocks import SECOND, ClockLimits, DeviceClock, event_time
from ingest.conversion import Convert, Unusable, compile_point
from ingest.quarantine import Quarantined, Reason
from ingest.series_marks import REMEMBERED, Mark, Marks, Seen
from language import N_, Message
from readings import Lane, Quality, Reading, ReadingBatch, Sample, SampleBatch, wire
from readings.units import UnknownUnit
from registry.device_types import DeviceType, Point
from registry.devices import Device

MALFORMED_POINT: Final = "!malformed"
"""The point under which an edge sends what it could not parse: value = raw, event = what is wrong."""

PASSED: Final = "passed"
QUARANTINED: Final = "quarantined"
DUPLICATE: Final = "duplicate"
EXPIRED: Final = "expired"
"""Let go by a store before it could write it: there was no room to keep it for so long."""
DROPPED: Final = "dropped"
"""It was in quarantine, and somebody decided that it is of no use."""
UNREAD: Final = "unread"
"""Counts batches: bytes that were no batch, under a number that an edge gave out."""

_LATE: Final[int] = int(Quality.LATE)
_CLOCK_SUSPECT: Final[int] = int(Quality.CLOCK_SUSPECT)
_source_of = attrgetter("source")


class Registry(Protocol):
    """What the normaliser asks of the site (`registry.site.Site` answers it)."""

    def device_at(self, edge: str, source: str) -> Device | None:
        """The device that `edge` hears under `source`."""

    def type_of(self, device: Device) -> DeviceType:
        """The device's type."""

    def native_point(self, device: Device, native: str) -> Point | None:
        """The point that the device's wire calls `native`."""


class Count(NamedTuple):
    """So many samples of a source (a device) had this outcome."""

    source: str
    device: str
    outcome: str
    n: int


@dataclass(frozen=True, slots=True)
class Normalised:
    """Everything that comes of one batch, to be committed together.

    ``sum(count.n for count in counts)`` is the number of samples. `journal` holds what the marks learned,
    flat: sid, time, value, sid, time, value …; `fresh` the series seen for the first time.
    """

    batch: ReadingBatch
    counts: tuple[Count, ...]
    quarantined: tuple[Quarantined, ...]
    journal: list[int | Seen]
    fresh: list[tuple[int, str, str]]


class _Channel:
    """One native point of one source in one unit, resolved."""

    __slots__ = ("clock", "convert", "device", "last", "mark", "point", "received")

    def __init__(self, device: str, point: str, convert: Convert, mark: Mark, clock: DeviceClock) -> None:
        self.device = device
        self.point = point
        self.convert = convert
        self.mark = mark
        self.clock = clock
        self.last: Sample | None = None
        """What came last, as it came: for people who look at a device's wire."""
        self.received = 0


@dataclass(frozen=True, slots=True)
class LastSample:
    """A sample as its driver sent it, and where it went."""

    edge: str
    lane: Lane
    received: int
    """When the bus stored it, ns since 1970 UTC."""
    point: str
    """The canonical name of its point."""
    sample: Sample


class _Refused(Exception):
    def __init__(self, reason: Reason, detail: Message) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(str(detail))


_Channels = dict[tuple[str, str, str], _Channel]


class Normaliser:
    """Turns the batches of each lane, in the order they come, into reading batches."""

    def __init__(
        self, site: Registry, marks: Mapping[Lane, Marks], limits: ClockLimits | None = None
    ) -> None:
        """`marks` is the committed state (`ingest.ledger.Ledger.marks`); it is advanced in place."""
        self._site = site
        self._marks = marks
        self._limits = limits or ClockLimits()
        self._channels: dict[tuple[str, Lane], _Channels] = {}
        self._devices: dict[str, dict[str, str]] = {}
        """Device ids by edge and source."""
        self._clocks: dict[str, DeviceClock] = {}
        """By device."""

    def set_site(self, site: Registry) -> None:
        """Use `site` from the next batch on."""
        self._site = site
        self._channels = {}
        self._devices = {}

    def normalise(self, batch: SampleBatch, received: int, *, replayed: bool = False) -> Normalised:
        """The readings of `batch`, and what became of every sample that is not one of them.

        `received` is when the bus stored the batch (ns since 1970 UTC): it stays the same however often
        the batch is delivered. `replayed` says that it waited in the edge through an outage.
        """
        edge, lane = batch.edge, batch.lane
        channels = self._channels.setdefault((edge, lane), {})
        limits = self._limits
        oldest, latest = limits.oldest, received + limits.ahead
        newest = 0
        readings: list[Reading] = []
        keep = readings.append
        journal: list[int | Seen] = []
        refused: dict[tuple[str, str, Reason], tuple[Message, list[Sample]]] = {}
        duplicates: Counter[str] = Counter()
        for sample in batch.samples:
            source = sample.source
            try:
                channel = channels.get((source, sample.point, sample.unit))
                if channel is None:
                    channel = self._open(channels, edge, lane, sample)
                channel.last, channel.received = sample, received
                value, quality = channel.convert(sample.value)
            except _Refused as why:
                refused.setdefault((source, sample.point, why.reason), (why.detail, []))[1].append(sample)
                continue
            except Unusable as why:
                key = (source, sample.point, Reason.UNUSABLE_VALUE)
                refused.setdefault(key, (why.message, []))[1].append(sample)
                continue
            taken = sample.taken
            time = taken
            if sample.time or not oldest <= taken <= latest:
                if sample.time and taken >= oldest:
                    channel.clock.see(sample.time, taken)
                newest = newest or max(other.taken for other in batch.samples)
                time, suspect = event_time(limits, sample.time, taken, received, newest)
                if suspect:
                    quality |= _CLOCK_SUSPECT
            event = sample.event
            seen: Seen = (value, event) if event else value
            mark = channel.mark
            if time < mark.last:
                quality |= _LATE
            recent = mark.recent
            if time in recent:
                placed = mark.place(time, seen)
                if placed is None:
                    duplicates[source] += 1
                    continue
                time = placed
            else:  # `Mark.remember`, without the call
                if len(recent) >= REMEMBERED:
                    del recent[next(iter(recent))]
                recent[time] = seen
                if time > mark.last:
                    mark.last = time
            journal += (mark.sid, time, seen)
            keep(Reading(channel.device, channel.point, value, time, received, taken, quality, event))
        devices = self._devices_of(batch)
        return Normalised(
            batch=ReadingBatch(edge, lane, batch.seq, tuple(readings), replayed),
            counts=_counts(batch, devices, refused, duplicates),
            quarantined=tuple(
                _entry(batch, point, reason, detail, samples, limits, received, devices)
                for (_, point, reason), (detail, samples) in refused.items()
            ),
            journal=journal,
            fresh=self._marks[lane].take_fresh(),
        )

    def last_samples(self, device: str) -> list[LastSample]:
        """What came last of each native point of `device`, also if it was unusable; by lane and point.

        Only what has come since this normaliser began: it is a view for people, not a record.
        """
        found = [
            LastSample(edge, lane, channel.received, channel.point, channel.last)
            for (edge, lane), channels in self._channels.items()
            for channel in channels.values()
            if channel.device == device and channel.last is not None
        ]
        return sorted(found, key=lambda last: (last.lane, last.sample.point))

    def clock_offsets(self) -> dict[str, float]:
        """Seconds that each device's clock is ahead of its edge's, for those that tell a time.

        As far as is known since this normaliser began.
        """
        offsets = {device: self.clock_offset(device) for device in self._clocks}
        return {device: offset for device, offset in offsets.items() if offset is not None}

    def clock_offset(self, device: str) -> float | None:
        """The same of one device; None when it tells no time."""
        clock = self._clocks.get(device)
        return None if clock is None or clock.offset is None else clock.offset / SECOND

    def _open(self, channels: _Channels, edge: str, lane: Lane, sample: Sample) -> _Channel:
        """Resolve the sample's source, point and unit; raises `_Refused` (which is not kept: a rogue
        edge could invent names without end)."""
        source, native = sample.source, sample.point
        if native == MALFORMED_POINT:
            raise _Refused(
                Reason.MALFORMED, Message(N_("not understood by the edge: {why}"), {"why": sample.event})
            )
        device = self._site.device_at(edge, source)
        if device is None:
            raise _Refused(
                Reason.UNKNOWN_DEVICE,
                Message(
                    N_("no device is registered at {source} of edge {edge}"), {"source": source, "edge": edge}
                ),
            )
        point = self._site.native_point(device, native)
        if point is None:
            raise _Refused(
                Reason.UNKNOWN_POINT,
                Message(
                    N_("device type {type} has no point {point}"), {"type": device.type, "point": native}
                ),
            )
        try:
            convert = compile_point(point, sample.unit)
        except UnknownUnit:
            raise _Refused(
                Reason.UNKNOWN_UNIT,
                Message(
                    N_("no conversion from unit {native} to {canonical}"),
                    {"native": sample.unit or point.native_unit, "canonical": point.unit},
                ),
            ) from None
        mark = self._marks[lane].of(device.id, point.name)
        clock = self._clocks.setdefault(device.id, DeviceClock())
        channel = _Channel(device.id, point.name, convert, mark, clock)
        channels[source, native, sample.unit] = channel
        return channel

    def _devices_of(self, batch: SampleBatch) -> Mapping[str, str]:
        """The device of every source of `batch` that is registered."""
        devices = self._devices.setdefault(batch.edge, {})
        for source in set(map(_source_of, batch.samples)).difference(devices):
            found = self._site.device_at(batch.edge, source)
            if found is not None:
                devices[source] = found.id
        return devices


def _counts(
    batch: SampleBatch,
    devices: Mapping[str, str],
    refused: Mapping[tuple[str, str, Reason], tuple[Message, list[Sample]]],
    duplicates: Counter[str],
) -> tuple[Count, ...]:
    passed = Counter(map(_source_of, batch.samples))
    quarantined: Counter[str] = Counter()
    for (source, _, _), (_, samples) in refused.items():
        quarantined[source] += len(samples)
    if quarantined or duplicates:
        passed = passed - quarantined - duplicates
    return tuple(
        Count(source, devices.get(source, ""), outcome, n)
        for outcome, tally in ((PASSED, passed), (QUARANTINED, quarantined), (DUPLICATE, duplicates))
        for source, n in tally.items()
    )


def _entry(
    batch: SampleBatch,
    point: str,
    reason: Reason,
    detail: Message,
    samples: list[Sample],
    limits: ClockLimits,
    received: int,
    devices: Mapping[str, str],
) -> Quarantined:
    newest = max(sample.taken for sample in samples)
    times = [event_time(limits, s.time, s.taken, received, newest)[0] for s in samples]
    return Quarantined(
        edge=batch.edge,
        lane=batch.lane,
        seq=batch.seq,
        source=samples[0].source,
        point=point,
        reason=reason,
        detail=detail,
        raw=wire.encode(SampleBatch(batch.edge, batch.lane, batch.seq, tuple(samples))),
        samples=len(samples),
        first=min(times),
        last=max(times),
        received=received,
        device=devices.get(samples[0].source, ""),
    )
