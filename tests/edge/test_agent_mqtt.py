"""The agent as a process between a real Mosquitto and a real NATS server."""

import asyncio
import json
import signal

import pytest
from paho.mqtt import publish

from readings import Lane
from readings.vocabulary import MALFORMED
from tests.conftest import wait_until
from tests.edge.conftest import DIES_BEFORE_ITS_FIRST_ACKNOWLEDGEMENT, wire_up

pytestmark = pytest.mark.usefixtures("streams")


@pytest.fixture
def home(site, mosquitto_broker):
    """A smoke detector, a door and two unregistered things on Zigbee2MQTT, a camera on Frigate."""
    wire_up(
        site,
        f"""
        - id: z2m
          driver: zigbee2mqtt
          settings: {{broker: "{mosquitto_broker.url}"}}
        - id: nvr
          driver: frigate
          settings: {{broker: "{mosquitto_broker.url}"}}
        """,
        """
        d1,z2m-smoke,z2m,flat 3/kitchen
        d2,z2m-door,z2m,door
        c1,frigate-camera,nvr,yard
        """,
    )
    return site


def send(broker, *messages, qos=1):
    """Publish (topic, payload) pairs, each confirmed by the broker."""
    publish.multiple(
        [
            {
                "topic": topic,
                "payload": payload if isinstance(payload, bytes | str) else json.dumps(payload),
                "qos": qos,
            }
            for topic, payload in messages
        ],
        hostname="127.0.0.1",
        port=broker.port,
    )


@pytest.fixture
async def agent(home, agents, nats_server, streams):
    """An agent that is connected to both its brokers' topics."""
    made = agents(nats_server.url)
    await started(made)
    return made


async def started(agent):
    agent.start()
    wait_until(lambda: agent.subscriptions == 2, f"both connections subscribe\n{agent.log}")


async def test_a_message_becomes_samples_of_the_right_lanes(agent, streams, mosquitto_broker):
    send(
        mosquitto_broker,
        ("zigbee2mqtt/flat 3/kitchen", {"smoke": True, "battery": 97, "update": {"state": "idle"}}),
    )
    await streams.wait_for(2)
    (alarm,) = [s for b in await streams.batches(Lane.ALARM) for s in b.samples if s.source != "edge/self"]
    (telemetry,) = [
        s for b in await streams.batches(Lane.TELEMETRY) for s in b.samples if s.source != "edge/self"
    ]
    assert (alarm.source, alarm.point, alarm.value) == ("z2m/flat 3/kitchen", "smoke", True)
    assert (telemetry.point, telemetry.value) == ("battery", 97)
    assert agent.stop() == 0


async def test_bad_messages_become_dead_letters_and_stop_nothing(agent, streams, mosquitto_broker):
    bad = [b"x" * 10_000_000, b'{"smoke": "\xff"}', b'{"smoke": NaN}', b"[" * 50_000 + b"]" * 50_000, b"[1]"]
    for number, payload in enumerate(bad):
        send(mosquitto_broker, (f"zigbee2mqtt/bad {number}", payload))
    send(mosquitto_broker, ("zigbee2mqtt/door", {"contact": False}))
    found = await streams.wait_for(len(bad) + 1)
    letters = {sample.source: sample.event for sample in found if sample.point == MALFORMED}
    assert sorted(letters) == [f"z2m/bad {number}" for number in range(len(bad))]
    assert "10000000 bytes" in letters["z2m/bad 0"]
    assert "nested" in letters["z2m/bad 3"]
    assert [s.value for s in found if s.source == "z2m/door"] == [False]


async def test_a_camera_event_becomes_one_set_without_the_persons_name(agent, streams, mosquitto_broker):
    after = {"id": "1.5-abc", "camera": "yard", "label": "person", "sub_label": ["Zhang San", 0.9]}
    after |= {"top_score": 0.8, "start_time": 1763900000.5, "end_time": None, "current_zones": ["gate"]}
    update = {"type": "update", "before": {"label": "person"}, "after": after}
    send(
        mosquitto_broker,
        ("frigate/events", {"type": "new", "before": {"label": "person"}, "after": after}),
        ("frigate/events", update),
        ("frigate/reviews", {"type": "new"}),
        ("frigate/available", "online"),
    )
    found = await streams.wait_for(5)
    assert {(s.point, s.value) for s in found} == {
        ("event", "person"),
        ("score", 0.8),
        ("zone", "gate"),
        ("start", 1763900000.5),
        ("available", "online"),
    }
    assert {s.time for s in found if s.event == "1.5-abc"} == {1763900000500000000}


async def test_kill_9_anywhere_loses_nothing_and_counts_nothing_twice(agent, streams, mosquitto_broker):
    total = 0
    for round_ in range(4):
        numbers = range(total, total + 400)
        send(mosquitto_broker, *[("zigbee2mqtt/flat 3/kitchen", {"smoke": n}) for n in numbers])
        total += 400
        if round_ < 3:
            await asyncio.sleep(0.02 * round_)  # not waiting for anything: killing at different moments
            agent.kill()
            agent.start()
    values = [sample.value for sample in await streams.wait_for(total, limit=40)]
    assert sorted(values) == list(range(total))


async def test_messages_committed_but_not_acknowledged_come_again_and_are_dropped(
    home, agents, nats_server, streams, mosquitto_broker
):
    agent = agents(nats_server.url)
    agent.program = ["-c", DIES_BEFORE_ITS_FIRST_ACKNOWLEDGEMENT]
    await started(agent)
    numbers = range(300)
    send(mosquitto_broker, *[("zigbee2mqtt/door", {"tamper": n}) for n in numbers])
    assert agent.process.wait(20) == -signal.SIGKILL
    assert (
        agent.asked("SELECT sum(samples) FROM taken WHERE source = 'z2m/door'") > 0
    )  # committed; the broker does not know it
    agent.program = ["-m", "edge"]
    agent.start()
    send(mosquitto_broker, ("zigbee2mqtt/door", {"tamper": "last"}))
    values = [sample.value for sample in await streams.wait_for(len(numbers) + 1)]
    assert values == [*numbers, "last"]
    assert agent.stop() == 0


async def test_a_stop_and_a_start_miss_no_message_sent_meanwhile(agent, streams, mosquitto_broker):
    assert agent.stop() == 0
    send(mosquitto_broker, *[("zigbee2mqtt/door", {"contact": False, "n": n}) for n in range(50)])
    agent.start()
    found = await streams.wait_for(100)
    assert [sample.value for sample in found if sample.point == "n"] == list(range(50))


async def test_a_broker_restart_is_survived(agent, streams, mosquitto_broker):
    send(mosquitto_broker, ("zigbee2mqtt/door", {"contact": False}))
    await streams.wait_for(1)
    mosquitto_broker.stop()
    mosquitto_broker.start()
    send(mosquitto_broker, ("zigbee2mqtt/door", {"contact": True}))
    found = await streams.wait_for(2)
    assert [sample.value for sample in found] == [False, True]


async def test_retained_messages_are_not_taken_again_after_a_restart(
    home, agents, nats_server, streams, mosquitto_broker
):
    agent = agents(nats_server.url)
    publish.single(
        "zigbee2mqtt/door/availability",
        '{"state":"online"}',
        qos=1,
        retain=True,
        hostname="127.0.0.1",
        port=mosquitto_broker.port,
    )
    await started(agent)
    await streams.wait_for(1)
    mosquitto_broker.stop()
    mosquitto_broker.start()
    assert agent.process is not None
    wait_until(lambda: mosquitto_broker.log().count("gridwarden-e1-z2m") >= 2, "connected again")
    agent.kill()
    agent.start()
    wait_until(lambda: mosquitto_broker.log().count("gridwarden-e1-z2m") >= 3, "connected again")
    send(mosquitto_broker, ("zigbee2mqtt/door/availability", "offline"))
    found = await streams.wait_for(2)
    assert [sample.value for sample in found] == ["online", "offline"]


async def test_a_second_agent_on_the_same_data_is_refused(agent, agents, nats_server):
    second = agents(nats_server.url)
    second.start()
    assert second.process.wait(20) == 75
    assert "being written by another edge agent" in second.log
    second.process = None
    agent.process.send_signal(signal.SIGINT)
    assert agent.process.wait(20) == 0
    agent.process = None
