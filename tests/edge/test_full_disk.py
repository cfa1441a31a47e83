"""An agent whose disk is full: what it promised it keeps, what it cannot keep it does not promise.

Real parts: a small disk of its own, Mosquitto, NATS, a serial line, the agent as a process.
"""

import asyncio
import json
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event
from typing import Any

import nats
import pytest
from paho.mqtt import publish

from chaos.small_disk import MEGABYTE, SmallDisk, small_disk
from readings import Lane, wire
from tests.conftest import ServerProcess, wait_until
from tests.edge.conftest import AgentProcess, Streams, wire_up
from tests.edge.smoke_detector import smoke_detector

RESERVE = 4 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "data", 24 * MEGABYTE) as made:
        yield made


@pytest.fixture
def fire(site: Path, mosquitto_broker: ServerProcess) -> Iterator[Event]:
    """A site with a thermometer on MQTT and a smoke detector on a wire; setting the event is a fire."""
    with smoke_detector() as (port, event):
        wire_up(
            site,
            f"""
            - {{id: z2m, driver: zigbee2mqtt, settings: {{broker: "{mosquitto_broker.url}"}}}}
            - {{id: rs, driver: modbus-rtu, settings: {{port: "{port}"}}}}
            """,
            """
            t1,z2m-climate,z2m,hall
            s1,novabo-smoke,rs,255
            """,
        )
        yield event


@pytest.fixture
def agent(disk: SmallDisk, agents: Callable[..., AgentProcess], nats_server: ServerProcess) -> AgentProcess:
    return agents(nats_server.url, "--disk-reserve", str(RESERVE), "--disk-spare", "0")


def start(agent: AgentProcess) -> None:
    agent.start()
    wait_until(lambda: status(agent).get("connections", {}).get("rs", {}).get("up"), "it reads its wires")
    wait_until(lambda: agent.subscriptions == 1, "it has subscribed")


def status(agent: AgentProcess) -> dict[str, Any]:
    """What the agent says about itself; its last word while the disk cannot take another."""
    try:
        found: dict[str, Any] = json.loads(agent.outbox.with_name("status.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return found


def measure(broker: ServerProcess, numbers: range) -> None:
    """The thermometer says so many things of 3 kB, each confirmed by the broker."""
    text = "x" * 3000
    publish.multiple(
        [
            {"topic": "zigbee2mqtt/hall", "payload": json.dumps({"n": n, "text": text}), "qos": 1}
            for n in numbers
        ],
        hostname="127.0.0.1",
        port=broker.port,
    )


async def measured(streams: Streams) -> Counter[object]:
    return Counter(sample.value for sample in await streams.samples(Lane.TELEMETRY) if sample.point == "n")


async def all_measured(streams: Streams, numbers: range, limit: float = 60) -> None:
    """Every number is in the stream, exactly once."""
    deadline = time.monotonic() + limit
    while (found := await measured(streams)) != Counter(numbers):
        assert time.monotonic() < deadline, f"{len(found)} of {len(numbers)} values, {found.total()} samples"
        await asyncio.sleep(0.2)


def smoke_on_disk(agent: AgentProcess) -> bool:
    reader = sqlite3.connect(f"file:{agent.outbox}?mode=ro", uri=True)
    rows = reader.execute("SELECT payload FROM batches WHERE lane = 'alarm'").fetchall()
    reader.close()
    return any(not s.value and s.point == "smoke" for (p,) in rows for s in wire.decode_samples(p).samples)


async def smoke_in_stream(streams: Streams, limit: float = 30) -> None:
    deadline = time.monotonic() + limit
    while not any(not s.value and s.point == "smoke" for s in await streams.samples(Lane.ALARM)):
        assert time.monotonic() < deadline, "the fire has not reached the core"
        await asyncio.sleep(0.2)


@asynccontextmanager
async def again(server: ServerProcess) -> AsyncIterator[Streams]:
    """The streams of a server that was started again."""
    client = await nats.connect(server.url)
    try:
        yield Streams(client)
    finally:
        await client.close()


async def test_a_fire_while_disk_and_link_are_gone_is_kept_and_nothing_else_is_lost(
    agent: AgentProcess,
    fire: Event,
    disk: SmallDisk,
    nats_server: ServerProcess,
    mosquitto_broker: ServerProcess,
    streams: Streams,
) -> None:
    start(agent)
    assert agent.outbox.with_name("outbox.reserve").stat().st_size == RESERVE
    await streams.client.close()
    nats_server.kill()
    disk.fill()
    measure(mosquitto_broker, range(3000))  # 9 MB
    wait_until(lambda: "cannot be written" in agent.log or "outbox is full" in agent.log, "the disk is full")
    fire.set()
    wait_until(lambda: smoke_on_disk(agent), f"the fire is on disk\n{agent.log}")
    agent.kill()

    disk.fill()  # what the kill left over
    agent.start()
    nats_server.start()
    async with again(nats_server) as streams:
        await smoke_in_stream(streams)
        await all_measured(streams, range(3000))  # and the disk is still full
        disk.clear()
        wait_until(lambda: disk.free < 20 << 20 and status(agent).get("alarms_have_room"), "it recovers")
        measure(mosquitto_broker, range(3000, 3100))
        await all_measured(streams, range(3100))
    assert agent.outbox.with_name("outbox.reserve").stat().st_size == RESERVE
    assert agent.stop() == 0
    assert agent.asked("SELECT count(*) FROM batches") == 0


async def test_where_nothing_can_be_written_at_all_everything_goes_straight_to_the_core(
    agent: AgentProcess,
    fire: Event,
    disk: SmallDisk,
    mosquitto_broker: ServerProcess,
    streams: Streams,
) -> None:
    start(agent)
    disk.keep_filling()
    measure(mosquitto_broker, range(4000))
    wait_until(lambda: "cannot be written" in agent.log, "the disk is full")
    fire.set()
    await smoke_in_stream(streams)
    await all_measured(streams, range(4000))
    disk.clear()
    measure(mosquitto_broker, range(4000, 4100))
    await all_measured(streams, range(4100))
    wait_until(lambda: status(agent).get("sent_straight", 0) > 0, "it says what it did")
    wait_until(lambda: status(agent)["problem"] == "", "it is well again")
    assert agent.stop() == 0


async def test_an_agent_that_finds_its_disk_full_when_it_starts_works_without_an_outbox(
    agent: AgentProcess,
    fire: Event,
    disk: SmallDisk,
    mosquitto_broker: ServerProcess,
    streams: Streams,
) -> None:
    disk.keep_filling()
    agent.log_file = disk.folder.with_name("agent.log")
    agent.start()
    wait_until(lambda: "there is no outbox" in agent.log, "it says what is wrong")
    fire.set()
    await smoke_in_stream(streams)
    disk.clear()
    wait_until(lambda: agent.subscriptions == 1, "it has subscribed, and an outbox to note it in")
    measure(mosquitto_broker, range(100))
    await all_measured(streams, range(100))
    wait_until(lambda: status(agent).get("alarms_have_room"), "disk is kept back for alarms")
    assert agent.stop() == 0
