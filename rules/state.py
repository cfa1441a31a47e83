"""What the engine remembers: one small record per alarm and one per device, each a few MessagePack bytes.

Alarms are stored one by one under their identity (``smoke:kitchen-3``), because few change; devices all
together in one piece, because many do. Whoever drives the engine stores both together with its position in
the log, so that a restart at any point continues as if nothing had happened.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from readings.sample import Scalar
from rules.findings import Condition, Evidence

FORMAT = 1


class StepState(msgspec.Struct, array_like=True):
    """One level of a rule for one alarm."""

    on: bool = False
    since: int = 0
    """Event time since when `when` has been TRUE without a break; 0: it is not."""
    held: int = 0
    """How much of that counts (silence longer than `max_gap` does not)."""
    seen: int = 0
    """The last reading that was counted."""


class Timer(msgspec.Struct, array_like=True, frozen=True):
    """A deadline: when it is due (event time), and when to wake up for it (the caller's clock)."""

    due: int
    wake: int


class Instance(msgspec.Struct, array_like=True):
    """One alarm: a rule and the values of its key. Times in ns since 1970-01-01 UTC, 0 for never."""

    device: str
    """The device it is about, or one of them."""
    stamp: int
    """Of the rule's meaning when it was last judged (`WatchPlan.stamp`)."""
    version: int = 0
    severity: str = ""
    condition: Condition = Condition.NORMAL
    occurrence: int = 0
    steps: list[StepState] = []
    raised: int = 0
    ended: int = 0
    detected: int = 0
    """When this detector last said yes; a second detector is compared with it."""
    verdict: bool = False
    """What the condition said last, in order."""
    acknowledged: bool = False
    timers: dict[str, Timer] = {}
    hits: list[tuple[int, int]] = []
    """Time and event (hashed; 0 for none) of what `repeat` counts."""
    flips: list[int] = []
    flapping: bool = False
    held: bool = False
    """Raised in a replay and not told yet (`rules.replay`)."""
    no_data: bool = False
    late: bool = False
    replayed: bool = False
    anew: bool = False
    """The rule has changed: the next known reading decides without hysteresis."""
    late_since: int = 0
    """A run of late readings that say yes: its first …"""
    late_seen: int = 0
    """… and its last …"""
    late_newest: int = 0
    """… while nothing newer than this was heard."""
    suppressed_by: str = ""
    labels: dict[str, str] = {}
    """Kept while it is in any way alive: its device may be gone when it ends."""
    evidence: tuple[Evidence, ...] = ()
    """What raised it; kept while `held`."""

    @property
    def firing(self) -> bool:
        """Whether it is in any state between raised and over."""
        return self.condition not in (Condition.NORMAL, Condition.PENDING)


class Mark(msgspec.Struct, array_like=True):
    """The newest reading of one point of one device."""

    time: int
    known: int
    """The newest that said something; a NaN moves `time` only."""
    value: Scalar | None
    event: str = ""
    fault: bool = False
    """The device itself said that the value is not to be trusted."""


class DeviceMarks(msgspec.Struct, array_like=True):
    """What was heard of one device."""

    seeded: int
    """When the engine first knew of it: a device that never spoke is silent since then."""
    heard: int = 0
    """The newest known value of any point."""
    points: dict[str, Mark] = {}


@dataclass(frozen=True, slots=True)
class Changes:
    """What to store: the changed alarms by key (None: delete), and all devices in one piece."""

    instances: tuple[tuple[str, bytes | None], ...]
    marks: bytes


class _Marks(msgspec.Struct, array_like=True):
    """The piece that holds the devices."""

    format: int
    devices: dict[str, msgspec.Raw]
    last: int = 0
    settled: int = 0


@dataclass(slots=True)
class EngineState:
    """Everything that outlives a restart."""

    instances: dict[str, Instance] = field(default_factory=dict)
    devices: dict[str, DeviceMarks] = field(default_factory=dict)
    last: int = 0
    """The time of the newest call: what lies between it and a start, nobody watched."""
    settled: int = 0
    """Until then silence proves nothing, because the engine itself could not hear (`rules.silence`)."""
    _encoded: dict[str, msgspec.Raw] = field(default_factory=dict, repr=False)
    """The devices' records as bytes: only those that have spoken are encoded again."""
    _marks: bytes = b""
    _saved: tuple[int, int] = (0, 0)

    @classmethod
    def restore(cls, instances: Mapping[str, bytes], marks: bytes) -> "EngineState":
        """The state from what `Changes` gave; `marks` may be empty when nothing was stored yet.

        Raises `ForeignState` when the records are not of this format.
        """
        state = cls()
        try:
            if marks:
                kept = _marks.decode(marks)
                if kept.format != FORMAT:
                    raise ForeignState(f"the stored engine state has format {kept.format}, not {FORMAT}")
                state._encoded = {name: msgspec.Raw(bytes(raw)) for name, raw in kept.devices.items()}
                state.devices = {name: _devices.decode(raw) for name, raw in kept.devices.items()}
                state.last, state.settled = kept.last, kept.settled
            state._marks, state._saved = marks, (state.last, state.settled)
            for key, record in instances.items():
                state.instances[key] = _instances.decode(record)
        except msgspec.DecodeError as error:
            raise ForeignState(str(error)) from error
        return state

    def encoded(self, alarms: set[str], devices: set[str]) -> Changes:
        """The records of `alarms` as bytes, in the order of their keys, and the devices' piece."""
        records: list[tuple[str, bytes | None]] = []
        for key in sorted(alarms):
            record = self.instances.get(key)
            records.append((key, None if record is None else _encoder.encode(record)))
        if devices or not self._marks or self._saved != (self.last, self.settled):
            for name in devices:
                marks = self.devices.get(name)
                if marks is None:
                    self._encoded.pop(name, None)
                else:
                    self._encoded[name] = msgspec.Raw(_encoder.encode(marks))
            self._marks = _encoder.encode(_Marks(FORMAT, self._encoded, self.last, self.settled))
            self._saved = (self.last, self.settled)
        return Changes(tuple(records), self._marks)


class ForeignState(ValueError):
    """Stored engine state that this version cannot read. Start empty only if a person says so."""


_encoder = msgspec.msgpack.Encoder()
_instances = msgspec.msgpack.Decoder(Instance)
_devices = msgspec.msgpack.Decoder(DeviceMarks)
_marks = msgspec.msgpack.Decoder(_Marks)
