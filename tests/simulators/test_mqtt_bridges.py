"""What the simulated bridges say, heard by somebody else's client at a real broker."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiomqtt
import pytest

from simulators.clock import Clock
from simulators.device import Break, Fault, Glide, Hold, Occur, Release, Report, SimulatedDevice
from simulators.frigate import FrigateRecorder
from simulators.publisher import Broker
from simulators.record import Record, read_record
from simulators.zigbee import ZigbeeBridge

LIMIT = 20.0


def devices_on(house, connection: str) -> list[SimulatedDevice]:
    return [
        SimulatedDevice(found, house.types[found.type])
        for found in house.devices.values()
        if found.connection == connection
    ]


@pytest.fixture
def bridge(house, mosquitto_broker, tmp_path):
    return ZigbeeBridge(
        devices_on(house, "z2m"),
        name="e1-z2m",
        broker=Broker("127.0.0.1", mosquitto_broker.port),
        clock=Clock(),
        record=Record(tmp_path / "sent.jsonl.gz"),
    )


@pytest.fixture
def recorder(house, mosquitto_broker):
    return FrigateRecorder(
        devices_on(house, "nvr"),
        name="e1-nvr",
        broker=Broker("127.0.0.1", mosquitto_broker.port),
        clock=Clock(speed=10),
        places=house.places,
        passers=False,
    )


@contextlib.asynccontextmanager
async def running(wire) -> AsyncIterator[None]:
    task = asyncio.create_task(wire.run())
    await asyncio.wait_for(wire.ready.wait(), LIMIT)
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def gone(wire) -> None:
    """Wait until the wire has noticed that its broker is away."""
    async with asyncio.timeout(LIMIT):
        while wire.ready.is_set():  # noqa: ASYNC110 - an event says when it is set, not when it is cleared
            await asyncio.sleep(0.01)


class Listener:
    """Hears a topic filter, and waits for what it should hear."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self.client = client

    async def until(self, wanted: Callable[[aiomqtt.Message], Any]) -> aiomqtt.Message:
        async with asyncio.timeout(LIMIT):
            async for message in self.client.messages:
                if wanted(message):
                    return message
        raise AssertionError("unreachable")


@contextlib.asynccontextmanager
async def listening(broker, topics: str = "#") -> AsyncIterator[Listener]:
    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        await client.subscribe(topics, qos=1)
        yield Listener(client)


def body(message: aiomqtt.Message) -> Any:
    return json.loads(bytes(message.payload))


async def test_a_bridge_announces_itself_and_its_devices_for_those_who_come_later(bridge, mosquitto_broker):
    async with running(bridge), listening(mosquitto_broker) as heard:
        retained: dict[str, Any] = {}
        while "zigbee2mqtt/yard-door/availability" not in retained or len(retained) < 7:
            message = await heard.until(lambda m: m.retain)
            retained[str(message.topic)] = body(message)
        assert retained["zigbee2mqtt/bridge/state"] == {"state": "online"}
        assert retained["zigbee2mqtt/flat/smoke/availability"] == {"state": "online"}
        entries = {entry["friendly_name"]: entry for entry in retained["zigbee2mqtt/bridge/devices"]}
        exposes = {e["property"]: e for e in entries["yard-door"]["definition"]["exposes"]}
        assert exposes["contact"]["value_on"] is False, "open is the `on` side of a contact"
        assert exposes["contact"]["value_off"] is True
        assert exposes["voltage"]["unit"] == "mV"


async def test_every_device_reports_its_whole_state_soon_after_the_start(bridge, mosquitto_broker):
    async with listening(mosquitto_broker, "zigbee2mqtt/+") as heard:
        bridge._clock.speed = 60
        async with running(bridge):
            state = body(await heard.until(lambda m: m.topic.matches("zigbee2mqtt/kitchen-climate")))
        assert set(state) == {"temperature", "humidity", "battery", "voltage", "linkquality"}
        assert isinstance(state["voltage"], int)
        assert 10 < state["temperature"] < 35


async def test_a_change_is_said_at_once_in_the_devices_own_words(bridge, mosquitto_broker):
    async with listening(mosquitto_broker, "zigbee2mqtt/#") as heard, running(bridge):
        bridge.apply("kitchen-smoke", Hold({"smoke": True}))
        said = await heard.until(lambda m: str(m.topic) == "zigbee2mqtt/kitchen/smoke" and body(m)["smoke"])
        assert body(said)["update"] == {"state": "idle"}
        bridge.apply("yard-door", Hold({"open": True}))
        await heard.until(lambda m: str(m.topic) == "zigbee2mqtt/yard-door" and body(m)["contact"] is False)
        bridge.apply("yard-door", Occur("forced_open"))
        said = await heard.until(lambda m: str(m.topic) == "zigbee2mqtt/yard-door" and "action" in body(m))
        assert body(said)["action"] == "lock_forced"


async def test_a_device_in_alarm_says_so_again_until_it_is_released(bridge, mosquitto_broker):
    bridge._clock.speed = 60
    async with listening(mosquitto_broker, "zigbee2mqtt/corridor-smoke") as heard, running(bridge):
        bridge.apply("corridor-smoke", Hold({"smoke": True}))
        for _ in range(3):
            await heard.until(lambda m: body(m)["smoke"] is True)
        bridge.apply("corridor-smoke", Release())
        await heard.until(lambda m: body(m)["smoke"] is False)


async def test_a_gliding_value_starts_where_it_is(bridge):
    device = bridge.devices["kitchen-climate"]
    before = device.value("temperature", 0)
    for fraction in (0.0, 0.5, 1.0):
        device.apply(Glide("temperature", 74.0, fraction), 0)
        assert device.value("temperature", 0) == pytest.approx(before + (74 - before) * fraction, abs=0.01)


async def test_a_silent_device_says_nothing_while_others_talk(bridge, mosquitto_broker):
    async with listening(mosquitto_broker, "zigbee2mqtt/#") as heard, running(bridge):
        bridge.apply("kitchen-smoke", Break(Fault.SILENT))
        bridge.apply("kitchen-smoke", Hold({"smoke": True}))
        bridge.apply("corridor-smoke", Hold({"smoke": True}))
        said = await heard.until(lambda m: b'"smoke":true' in bytes(m.payload))
        assert str(said.topic) == "zigbee2mqtt/corridor-smoke"


@pytest.mark.parametrize("fault", [Fault.HALF_FRAME, Fault.RUBBISH])
async def test_spoilt_payloads_are_really_spoilt_and_not_written_down(bridge, mosquitto_broker, fault):
    async with listening(mosquitto_broker, "zigbee2mqtt/corridor-smoke") as heard, running(bridge):
        bridge.apply("corridor-smoke", Break(fault))
        bridge.apply("corridor-smoke", Report())
        said = await heard.until(lambda m: True)
        with pytest.raises(ValueError, match=r".*"):
            body(said)
    bridge._publisher._record.close()
    assert [
        sent for sent in read_record(bridge._publisher._record.path) if sent.device == "corridor-smoke"
    ] == []


async def test_a_bridge_comes_back_with_its_broker_and_keeps_what_happened_meanwhile(
    bridge, mosquitto_broker
):
    async with running(bridge):
        mosquitto_broker.kill()
        await gone(bridge)
        bridge.apply("corridor-smoke", Hold({"smoke": True}))
        mosquitto_broker.start()
        async with listening(mosquitto_broker, "zigbee2mqtt/corridor-smoke") as heard:
            said = await heard.until(lambda m: body(m).get("smoke") is True)
            assert not said.retain


async def test_a_bridge_that_ends_says_so(bridge, mosquitto_broker):
    async with running(bridge):
        pass
    async with listening(mosquitto_broker, "zigbee2mqtt/bridge/state") as heard:
        assert body(await heard.until(lambda m: m.retain)) == {"state": "offline"}


async def test_what_the_broker_took_is_written_down_in_canonical_values(bridge, mosquitto_broker):
    async with listening(mosquitto_broker, "zigbee2mqtt/yard-door") as heard, running(bridge):
        bridge.apply("yard-door", Hold({"open": True, "voltage": 2.91}))
        said = body(await heard.until(lambda m: body(m)["contact"] is False))
    record = bridge._publisher._record
    record.close()
    sent = [s for s in read_record(record.path) if s.device == "yard-door"]
    last = {s.point: s for s in sent[-6:]}
    assert (last["open"].value, last["open"].wire) == (True, False)
    assert said["voltage"] == last["voltage"].wire == 2910
    assert last["voltage"].value == pytest.approx(2.91)


async def test_a_camera_event_goes_from_new_over_update_to_end_under_one_id(recorder, mosquitto_broker):
    async with listening(mosquitto_broker, "frigate/#") as heard, running(recorder):
        recorder.apply("corridor-camera", Occur("person", 0.88, ("stairs",), 7.0))
        events: list[Any] = []
        while not events or events[-1]["type"] != "end":
            events.append(body(await heard.until(lambda m: str(m.topic) == "frigate/events")))
        assert [event["type"] for event in events] == ["new", "update", "update", "update", "end"]
        afters = [event["after"] for event in events]
        assert len({after["id"] for after in afters}) == 1
        assert {after["camera"] for after in afters} == {"corridor_cam"}
        assert afters[0]["end_time"] is None
        assert afters[-1]["end_time"] > afters[-1]["start_time"]
        assert afters[-1]["top_score"] == 0.88
        scores = [after["top_score"] for after in afters]
        assert scores == sorted(scores)
        assert events[1]["before"] == events[0]["after"]
        assert afters[0]["sub_label"] is None, "no names of people"
        review = body(await heard.until(lambda m: str(m.topic) == "frigate/reviews"))
        assert review["after"]["severity"] == "alert"
        assert review["after"]["data"]["detections"] == [afters[0]["id"]]


async def test_a_recorder_says_whether_it_is_there(recorder, mosquitto_broker):
    async with running(recorder), listening(mosquitto_broker, "frigate/available") as heard:
        assert bytes((await heard.until(lambda m: m.retain)).payload) == b"online"
    async with listening(mosquitto_broker, "frigate/available") as heard:
        assert bytes((await heard.until(lambda m: m.retain)).payload) == b"offline"


async def test_nobody_passes_a_camera_whose_place_is_closed_at_times(house, mosquitto_broker):
    recorder = FrigateRecorder(
        devices_on(house, "nvr"),
        name="x",
        broker=Broker("127.0.0.1", mosquitto_broker.port),
        clock=Clock(speed=5_000),
        places=house.places,
    )
    async with listening(mosquitto_broker, "frigate/events") as heard, running(recorder):
        for _ in range(10):
            message = await heard.until(lambda m: True)
            assert body(message)["after"]["camera"] == "corridor_cam"


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("10.0.0.5", "10.0.0.5", 1883), ("broker:1884", "broker", 1884), ("mqtt://b:1885", "b", 1885)],
)
def test_a_brokers_address_may_be_written_in_three_ways(text, host, port):
    broker = Broker.parse(text, "user")
    assert (broker.host, broker.port, broker.username) == (host, port, "user")


def test_an_address_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="no broker's address"):
        Broker.parse("http://broker:80")
