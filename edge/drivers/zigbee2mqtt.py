"""Zigbee2MQTT: ``<base>/<friendly name>`` with a JSON object of what changed.

A device's address is its friendly name (slashes allowed); its points are the payload's keys, nested ones
dotted. Polarity and units stay as on the wire: the device type knows them (`contact: true` = closed).
``last_seen`` becomes the samples' time. `availability` is a point too: ``online`` or ``offline``, from the
plain text of Zigbee2MQTT 1.x and the object of 2.x. What Zigbee2MQTT says about itself (``bridge/…``) and
what others ask of it (``…/set``, ``…/get``) are not taken.

Zigbee2MQTT publishes with QoS 0 unless told otherwise; so that nothing is lost while the edge restarts,
give its devices ``qos: 1`` (``device_options`` in its configuration).
"""

from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from pydantic import Field

from edge.intake import DriverContext, Intake
from edge.json_payload import LONGEST_TEXT, Malformed, flat, parse, point_name
from edge.mqtt_intake import MqttSession, MqttSettings
from readings import Sample, Scalar
from registry.model import Model

_AVAILABILITY: Final = "/availability"
_REQUESTS: Final = ("/set", "/get")
_LONGEST_NAME: Final = 128
_LATEST_YEAR: Final = 2262
_LATEST_MS: Final = 9_200_000_000_000
"""Where nanoseconds since 1970 leave 64 bits: a time beyond says nothing."""


class Zigbee2MqttSettings(MqttSettings):
    """The broker, and where Zigbee2MQTT publishes."""

    topic: str = Field(
        "zigbee2mqtt",
        min_length=1,
        pattern=r"^[^+#]+$",
        description="Zigbee2MQTT's base topic (`mqtt.base_topic`).",
    )


class Zigbee2Mqtt:
    """One Zigbee2MQTT instance."""

    settings: ClassVar[type[Model]] = Zigbee2MqttSettings

    def __init__(self, settings: Model, context: DriverContext) -> None:
        assert isinstance(settings, Zigbee2MqttSettings)  # noqa: S101 - made from the class above
        self._session_settings = settings
        self._context = context
        self._decoder = Decoder(
            settings.topic, context.connection, {device.address for device in context.devices}
        )

    def intakes(self) -> AsyncGenerator[Sequence[Intake], None]:
        """One intake per message; raises `DriverFailed` when the connection ends."""
        topics = [f"{self._session_settings.topic}/#"]
        return MqttSession(self._session_settings, self._context, topics, self._decoder).intakes()


class Decoder:
    """Topic and payload → samples; knows no broker."""

    def __init__(self, base: str, connection: str, known: set[str]) -> None:
        self._prefix = f"{base}/"
        self._connection = connection
        self._known = known

    def __call__(self, topic: str, payload: bytes, now: int) -> Sequence[Sample]:
        """The samples in one message, taken at `now` (ns); raises `Malformed`."""
        name = topic.removeprefix(self._prefix)
        if name not in self._known:
            if name == topic or name.startswith("bridge/") or name.endswith(_REQUESTS) or "/set/" in name:
                return ()
            if name.endswith(_AVAILABILITY):
                return self._availability(name.removesuffix(_AVAILABILITY), payload, now)
            parent, _, attribute = name.rpartition("/")
            if parent in self._known:
                source = f"{self._connection}/{parent}"
                return [Sample(source, point_name(attribute, source), _attribute(payload), now)]
        if not payload:
            return ()  # a retained message that was deleted says nothing
        source = self._source(name)
        values = parse(payload, source)
        if not isinstance(values, dict):
            raise Malformed("not a JSON object", source)
        time = _time(values.pop("last_seen", None))
        return [Sample(source, point, value, now, time) for point, value in flat(values, source)]

    def _availability(self, name: str, payload: bytes, now: int) -> Sequence[Sample]:
        source = self._source(name)
        state: Any = payload.decode("ascii", "replace")
        if payload.startswith(b"{"):
            state = parse(payload, source).get("state")
        if not payload:
            return ()
        if state not in ("online", "offline"):
            raise Malformed("neither online nor offline", source)
        return [Sample(source, "availability", state, now)]

    def _source(self, name: str) -> str:
        if len(name) > _LONGEST_NAME:
            raise Malformed(f"a friendly name of {len(name)} characters")
        return f"{self._connection}/{name}"


def _attribute(payload: bytes) -> Scalar:
    """A single value, as Zigbee2MQTT publishes with ``output: attribute``."""
    try:
        value = parse(payload, "")
    except Malformed:
        value = payload.decode("utf-8", "replace")[:LONGEST_TEXT]
    return value if isinstance(value, bool | int | float) else str(value)[:LONGEST_TEXT]


def _time(last_seen: object) -> int:
    """``last_seen`` (epoch in ms, or ISO 8601 with a zone) as ns; 0 when it says nothing usable."""
    if isinstance(last_seen, int | float) and not isinstance(last_seen, bool) and 0 < last_seen < _LATEST_MS:
        return int(last_seen) * 1_000_000
    if isinstance(last_seen, str):
        try:
            when = datetime.fromisoformat(last_seen)
        except ValueError:
            return 0
        if when.tzinfo is not None and 1970 < when.year < _LATEST_YEAR:
            since = when - datetime(1970, 1, 1, tzinfo=UTC)
            return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000
    return 0
