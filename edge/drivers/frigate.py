"""Frigate: camera events over MQTT (``<base>/events``) and whether Frigate is there (``<base>/available``).

A device's address is its camera's name in Frigate. One set of samples when an event begins, when its
best label changes and when it ends, all under the event's id: `event` (the label), `score` (top_score,
0 to 1), `zone` (names joined by commas), `start`, and `end` once known (seconds since 1970).
`available` (``online``, ``offline``, ``stopped``) is reported for every camera of the connection.

Events only: no images, and a recognised person's name (``sub_label``) never leaves this module.
``<base>/reviews`` groups the same events for people and is not taken.
"""

from collections.abc import AsyncGenerator, Sequence
from typing import Annotated, ClassVar, Final

import msgspec
from pydantic import Field

from edge.intake import DriverContext, Intake
from edge.json_payload import LARGEST, Malformed
from edge.mqtt_intake import MqttSession, MqttSettings
from readings import Sample, Scalar
from registry.model import Model

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
_STATES: Final = ("online", "offline", "stopped")


class FrigateSettings(MqttSettings):
    """The broker, and where Frigate publishes."""

    topic: str = Field(
        "frigate", min_length=1, pattern=r"^[^+#]+$", description="Frigate's `mqtt.topic_prefix`."
    )


class Frigate:
    """One Frigate instance with its cameras."""

    settings: ClassVar[type[Model]] = FrigateSettings

    def __init__(self, settings: Model, context: DriverContext) -> None:
        assert isinstance(settings, FrigateSettings)  # noqa: S101 - made from the class above
        self._session_settings = settings
        self._context = context
        self._decoder = Decoder(
            settings.topic, context.connection, sorted(device.address for device in context.devices)
        )

    def intakes(self) -> AsyncGenerator[Sequence[Intake], None]:
        """One intake per message; raises `DriverFailed` when the connection ends."""
        topics = [f"{self._session_settings.topic}/{leaf}" for leaf in ("events", "available")]
        return MqttSession(self._session_settings, self._context, topics, self._decoder).intakes()


class _Seen(msgspec.Struct):
    """What of Frigate's event object is used; everything else is skipped unread."""

    id: _Name
    camera: _Name
    label: _Name
    top_score: float | None = None
    start_time: float | None = None
    end_time: float | None = None
    frame_time: float | None = None
    current_zones: list[_Name] = []
    entered_zones: list[_Name] = []


class _Before(msgspec.Struct):
    label: str | None = None


class _Event(msgspec.Struct):
    type: str
    after: _Seen
    before: _Before | None = None


_events = msgspec.json.Decoder(_Event)


class Decoder:
    """Topic and payload → samples; knows no broker."""

    def __init__(self, base: str, connection: str, cameras: Sequence[str]) -> None:
        self._events_topic = f"{base}/events"
        self._connection = connection
        self._cameras = cameras

    def __call__(self, topic: str, payload: bytes, now: int) -> Sequence[Sample]:
        """The samples in one message, taken at `now` (ns); raises `Malformed`."""
        if topic == self._events_topic:
            return self._event(payload, now)
        if not payload:
            return ()  # a retained message that was deleted says nothing
        state = payload.decode("ascii", "replace")
        if state not in _STATES:
            raise Malformed(f"not one of {', '.join(_STATES)}")
        return [Sample(f"{self._connection}/{camera}", "available", state, now) for camera in self._cameras]

    def _event(self, payload: bytes, now: int) -> Sequence[Sample]:
        if len(payload) > LARGEST:
            raise Malformed(f"{len(payload)} bytes are more than {LARGEST}")
        try:
            event = _events.decode(payload)
        except RecursionError as error:
            raise Malformed("nested too deeply") from error
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Malformed(f"not an event: {error}") from error
        seen = event.after
        if event.type == "update":
            if event.before is None or event.before.label == seen.label:
                return ()
            time = _ns(seen.frame_time)
        elif event.type == "end":
            time = _ns(seen.end_time)
        elif event.type == "new":
            time = _ns(seen.start_time)
        else:
            raise Malformed(f"type {event.type[:40]!r}", f"{self._connection}/{seen.camera}")
        values: dict[str, Scalar | None] = {
            "event": seen.label,
            "score": seen.top_score,
            "zone": ",".join(seen.current_zones or seen.entered_zones)[:4096],
            "start": seen.start_time,
            "end": seen.end_time,
        }
        source = f"{self._connection}/{seen.camera}"
        return [
            Sample(source, point, value, now, time, event=seen.id)
            for point, value in values.items()
            if value is not None
        ]


def _ns(seconds: float | None) -> int:
    """Frigate's seconds since 1970 as ns (µs resolution); 0 when there are none or none usable."""
    if seconds is None or not 0 < seconds < 9e9:
        return 0
    return round(seconds * 1e6) * 1_000
