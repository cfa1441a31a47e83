"""A Frigate recorder with its cameras, as a broker sees it: events, reviews, availability. No images.

``<prefix>/events`` carries ``{"type": "new"|"update"|"end", "before": …, "after": …}`` with one
constant id per tracked object, ``<prefix>/reviews`` the review items above them, ``<prefix>/available``
the retained word online or offline. Source: https://docs.frigate.video/integrations/mqtt/
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from readings import Scalar
from registry.grids import Place
from simulators.clock import Clock
from simulators.device import Change, Fault, Occur, SimulatedDevice
from simulators.modbus_line import flip_bits
from simulators.publisher import Broker, Outgoing, Publisher
from simulators.record import Record, Sent
from simulators.wire_values import from_wire

UPDATE_EVERY: Final = 2.0
"""Seconds between two updates of an object that stays in the picture."""
ALERTS: Final = frozenset({"person", "car", "fire", "smoke"})
"""Labels whose review item is an alert; others are detections."""
PASSERS: Final = {"person": 6, "car": 4, "bicycle": 2, "dog": 1, "cat": 1}
"""What a camera sees on a quiet day, with weights."""
QUIET_PAUSE: Final = 1_200.0
"""Seconds between two objects before one camera, on average."""

_encode = msgspec.json.encode


@dataclass(slots=True)
class _Track:
    """One object in one camera's picture."""

    id: str
    camera: SimulatedDevice
    label: str
    score: float
    zones: tuple[str, ...]
    start: float
    ends: float
    box: tuple[int, int, int, int]
    top_score: float = 0.0
    before: dict[str, Any] = field(default_factory=dict)


class FrigateRecorder:
    """One recorder: all cameras of one connection."""

    def __init__(
        self,
        cameras: Sequence[SimulatedDevice],
        *,
        prefix: str = "frigate",
        name: str,
        broker: Broker,
        clock: Clock,
        places: Mapping[str, Place] | None = None,
        record: Record | None = None,
        seed: int = 0,
        passers: bool = True,
    ) -> None:
        """With `passers`, people and cars come by now and then where no place is ever closed."""
        self.name = name
        self.prefix = prefix
        self.devices: Mapping[str, SimulatedDevice] = {camera.id: camera for camera in cameras}
        self._clock = clock
        self._places = places or {}
        self._passers = passers
        self._random = random.Random(f"{seed}/{name}")
        self._publisher = Publisher(
            broker,
            name=name,
            clock=clock,
            record=record,
            opening=self._opening,
            closing=[Outgoing(f"{prefix}/available", b"offline", retain=True)],
        )
        self.ready = self._publisher.connected

    async def run(self) -> None:
        """See what a recorder would see, until cancelled."""
        for camera in self.devices.values():
            if self._passers and self._is_open(camera):
                self._expect_passer(camera, self._random.uniform(0.02, 1.0) * QUIET_PAUSE)
        await self._publisher.run()

    def apply(self, device: str, change: Change) -> None:
        """Change a camera; an `Occur` lets something appear before it. Raises KeyError, `NoSuchPoint`."""
        camera = self.devices[device]
        camera.apply(change, self._clock.story())
        if isinstance(change, Occur):
            self._publisher.at(self._clock.elapsed(), lambda: self._appear(camera, change))

    def _is_open(self, camera: SimulatedDevice) -> bool:
        place = self._places.get(camera.device.place)
        return place is None or not place.closed

    def _expect_passer(self, camera: SimulatedDevice, pause: float) -> None:
        def come() -> Iterator[Outgoing]:
            self._expect_passer(camera, self._random.expovariate(1 / QUIET_PAUSE))
            (label,) = self._random.choices(list(PASSERS), list(PASSERS.values()))
            score = self._random.uniform(0.58, 0.94)
            return self._appear(camera, Occur(label, score, (), self._random.uniform(3, 25)))

        self._publisher.at(self._clock.elapsed() + pause, come)

    def _appear(self, camera: SimulatedDevice, what: Occur) -> Iterator[Outgoing]:
        start = self._clock.wall() / 1e9
        suffix = "".join(self._random.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=6))
        left, top = self._random.randrange(900), self._random.randrange(300)
        track = _Track(
            id=f"{start:.6f}-{suffix}",
            camera=camera,
            label=what.word,
            score=what.score,
            zones=what.zones,
            start=start,
            ends=self._clock.elapsed() + what.seconds,
            box=(left, top, left + 120, top + 260),
        )
        self._follow(track)
        return self._tell(track, "new", 0.86)

    def _follow(self, track: _Track) -> None:
        """Make the appointment for the next message about an object."""
        moment = self._clock.elapsed() + UPDATE_EVERY
        if moment < track.ends:
            self._publisher.at(moment, lambda: self._update(track))
        else:
            self._publisher.at(track.ends, lambda: self._tell(track, "end", 1.0))

    def _update(self, track: _Track) -> Iterator[Outgoing]:
        self._follow(track)
        return self._tell(track, "update", self._random.uniform(0.9, 1.0))

    def _tell(self, track: _Track, kind: str, sureness: float) -> Iterator[Outgoing]:
        if track.camera.fault is Fault.SILENT:
            return
        wall = self._clock.wall()
        score = round(track.score * sureness, 6)
        track.top_score = round(track.score, 6) if kind == "end" else max(track.top_score, score)
        after = _document(track, wall / 1e9, score, ended=kind == "end")
        before = track.before or after
        track.before = after
        payload = _encode({"type": kind, "before": before, "after": after})
        spoilt = self._spoil(track.camera.fault, payload)
        sent = self._sent(track, kind, wall) if spoilt == payload else ()
        yield Outgoing(f"{self.prefix}/events", spoilt, sent=sent)
        if kind in ("new", "end"):
            yield Outgoing(f"{self.prefix}/reviews", _encode(_review(track, kind, wall / 1e9)))

    def _sent(self, track: _Track, kind: str, wall: int) -> tuple[Sent, ...]:
        """The values that a reader of events takes from one message."""
        values: dict[str, Scalar] = {
            "event": track.label,
            "score": track.top_score,
            "zone": ",".join(track.zones),
            "start": track.start,
        }
        if kind == "end":
            values["end"] = wall / 1e9
        points = {point.native: point for point in track.camera.type.points}
        return tuple(
            Sent(
                wall,
                track.camera.id,
                points[native].name,
                from_wire(points[native], wire),
                wire,
                track.id,
                kind,
            )
            for native, wire in values.items()
            if native in points
        )

    def _opening(self) -> Iterator[Outgoing]:
        wall = self._clock.wall()
        sent = tuple(
            Sent(wall, camera.id, point.name, from_wire(point, "online"), "online")
            for camera in self.devices.values()
            for point in camera.type.points
            if point.native == "available"
        )
        yield Outgoing(f"{self.prefix}/available", b"online", retain=True, sent=sent)

    def _spoil(self, fault: Fault | None, payload: bytes) -> bytes:
        match fault:
            case Fault.HALF_FRAME | Fault.WRONG_CRC:
                return payload[: len(payload) // 2]
            case Fault.BIT_FLIPS:
                return flip_bits(payload, self._random)
            case Fault.RUBBISH:
                return self._random.randbytes(self._random.randint(1, 64))
        return payload


def _document(track: _Track, now: float, score: float, *, ended: bool) -> dict[str, Any]:
    left, top, right, bottom = track.box
    area = (right - left) * (bottom - top)
    return {
        "id": track.id,
        "camera": track.camera.address,
        "frame_time": now,
        "snapshot": {
            "frame_time": now,
            "box": list(track.box),
            "area": area,
            "region": [max(0, left - 80), 0, left + 240, 320],
            "score": score,
            "attributes": [],
        },
        "label": track.label,
        "sub_label": None,
        "top_score": track.top_score,
        "false_positive": False,
        "start_time": track.start,
        "end_time": now if ended else None,
        "score": score,
        "box": list(track.box),
        "area": area,
        "ratio": round((bottom - top) / (right - left), 6),
        "region": [max(0, left - 80), 0, left + 240, 320],
        "active": not ended,
        "stationary": False,
        "motionless_count": 0,
        "position_changes": 2 if track.before else 0,
        "current_zones": list(track.zones),
        "entered_zones": list(track.zones),
        "has_clip": True,
        "has_snapshot": True,
        "attributes": {},
        "current_attributes": [],
        "pending_loitering": False,
        "max_severity": "alert" if track.label in ALERTS else "detection",
    }


def _review(track: _Track, kind: str, now: float) -> dict[str, Any]:
    item: dict[str, Any] = {
        "id": f"{track.start:.6f}-{track.id[-6:][::-1]}",
        "camera": track.camera.address,
        "start_time": track.start,
        "end_time": None,
        "severity": "alert" if track.label in ALERTS else "detection",
        "thumb_path": "",
        "data": {
            "detections": [track.id],
            "objects": [track.label],
            "sub_labels": [],
            "zones": list(track.zones),
            "audio": [],
        },
    }
    after = {**item, "end_time": now if kind == "end" else None}
    return {"type": kind, "before": item, "after": after}
