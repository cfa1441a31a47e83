"""The embedded default: the NATS server is the MQTT broker too."""

import signal

import pytest
from paho.mqtt import publish

from tests.conftest import free_port, wait_until
from tests.edge.conftest import DIES_BEFORE_ITS_FIRST_ACKNOWLEDGEMENT, wire_up


@pytest.fixture
def nats_broker(nats_server):
    """The server of `nats_server`, with an MQTT listener; its port."""
    port = free_port()
    config = nats_server.folder / "server.conf"
    config.write_text(
        config.read_text()
        + f'server_name: test\nmqtt {{ host: "127.0.0.1", port: {port}, ack_wait: "2s" }}\n'
    )
    nats_server.stop()
    nats_server.start()
    return port


def send(port, *payloads):
    publish.multiple(
        [{"topic": "zigbee2mqtt/door", "payload": payload, "qos": 1} for payload in payloads],
        hostname="127.0.0.1",
        port=port,
    )


async def test_messages_not_acknowledged_come_again_and_count_once(
    site, agents, nats_server, nats_broker, streams
):
    wire_up(
        site,
        f"- {{id: z2m, driver: zigbee2mqtt, settings: {{broker: 'mqtt://127.0.0.1:{nats_broker}'}}}}",
        "d,z2m-door,z2m,door\n",
    )
    agent = agents(nats_server.url)
    agent.program = ["-c", DIES_BEFORE_ITS_FIRST_ACKNOWLEDGEMENT]
    agent.start()
    wait_until(lambda: agent.subscriptions == 1, "subscribed")
    send(nats_broker, *[f'{{"tamper":{n}}}' for n in range(100)])
    assert agent.process.wait(20) == -signal.SIGKILL
    agent.program = ["-m", "edge"]
    agent.start()
    found = await streams.wait_for(100)
    send(nats_broker, '{"tamper":"last"}')
    found = await streams.wait_for(101)
    values = [sample.value for sample in found]
    assert sorted(values[:-1]) == list(range(100))
    assert values[-1] == "last"
