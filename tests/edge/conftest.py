"""A small site on real wires, and a real agent process reading it."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig, DeliverPolicy, DiscardPolicy, StreamConfig

from readings import Lane, Sample, SampleBatch, wire
from readings.subjects import samples_stream

ROOT = Path(__file__).parents[2]


DIES_BEFORE_ITS_FIRST_ACKNOWLEDGEMENT = """
import os, signal, sys
from edge.mqtt_intake import MqttSession
MqttSession._acknowledge = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
from edge.main import main
sys.exit(main(sys.argv[1:]))
"""


@dataclass
class AgentProcess:
    """``python -m edge`` on a site folder; `start` again after `kill` goes on with the same outbox."""

    site: Path
    data: Path
    bus: str
    extra: list[str] = field(default_factory=list)
    program: list[str] = field(default_factory=lambda: ["-m", "edge"])
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    log_file: Path | None = None

    @property
    def outbox(self) -> Path:
        return self.data / "e1" / "outbox.db"

    @property
    def log(self) -> str:
        return (self.log_file or self.data / "agent.log").read_text()

    def asked(self, query: str) -> int:
        """The one number that `query` finds in the outbox; 0 while there is none."""
        if not self.outbox.exists():
            return 0
        reader = sqlite3.connect(f"file:{self.outbox}?mode=ro", uri=True)
        try:
            return int(reader.execute(query).fetchone()[0] or 0)
        except sqlite3.OperationalError:  # its tables are not made yet
            return 0
        finally:
            reader.close()

    @property
    def subscriptions(self) -> int:
        """Connections whose broker has confirmed their subscriptions."""
        return self.asked("SELECT count(*) FROM notes WHERE key LIKE 'subscribed:%'")

    def _where(self) -> list[str]:
        return ["--data", str(self.data), "--bus", self.bus, "--disk-reserve", "0"]

    def start(self) -> None:
        self.data.mkdir(exist_ok=True)
        with (self.log_file or self.data / "agent.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *self.program, str(self.site), "--id", "e1", *self._where(), *self.extra],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": str(ROOT), **self.environment},
            )

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(20)
        self.process = None

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(20)
        self.process = None
        return code


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site folder with one edge `e1` and nothing on it; `wire_up` adds to it."""
    folder = tmp_path / "site"
    (folder / "edges").mkdir(parents=True)
    (folder / "site.yaml").write_text("name: Test\ntimezone: Asia/Shanghai\nlanguages: [en]\n")
    return folder


def wire_up(folder: Path, connections: str, devices: str) -> None:
    """Write `connections` (a YAML list) and `devices` (CSV lines: id,type,connection,address)."""
    (folder / "edges" / "e1.yaml").write_text(
        "id: e1\nplace: p1\nconnections:\n" + textwrap.indent(textwrap.dedent(connections), "  ")
    )
    lines = ["id,type,place,edge,connection,address"]
    for line in textwrap.dedent(devices).strip().splitlines():
        name, kind, connection, address = line.split(",", 3)
        lines.append(f"{name},{kind},p1,e1,{connection},{address}")
    (folder / "devices.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture
def agents(site: Path, tmp_path: Path) -> Iterator[Callable[..., AgentProcess]]:
    """Makes agent processes of the site; what still runs is ended with the test."""
    made: list[AgentProcess] = []

    def make(bus: str, *extra: str) -> AgentProcess:
        made.append(AgentProcess(site, tmp_path / "data", bus, [*extra]))
        return made[-1]

    yield make
    for agent in made:
        if agent.process is not None:
            agent.kill()


@dataclass
class Streams:
    """The two sample streams of a running server, created as the gateway would."""

    client: Client

    async def create(self, **limits: int) -> None:
        for lane in Lane:
            await self.client.jetstream().add_stream(
                StreamConfig(
                    name=samples_stream(lane),
                    subjects=[f"samples.*.*.{lane.value}"],
                    discard=DiscardPolicy.NEW,
                    duplicate_window=600,
                    **limits,
                )
            )

    async def messages(self, lane: Lane) -> list[Msg]:
        """Everything in the lane's stream, in order."""
        stream = self.client.jetstream()
        total = (await stream.stream_info(samples_stream(lane))).state.messages
        subscription = await stream.subscribe(
            f"samples.*.*.{lane.value}",
            stream=samples_stream(lane),
            ordered_consumer=True,
            config=ConsumerConfig(deliver_policy=DeliverPolicy.ALL),
        )
        try:
            return [await subscription.next_msg(5) for _ in range(total)]
        finally:
            await subscription.unsubscribe()

    async def batches(self, lane: Lane) -> list[SampleBatch]:
        return [wire.decode_samples(message.data) for message in await self.messages(lane)]

    async def samples(self, *lanes: Lane, health: bool = False) -> list[Sample]:
        """Every sample of `lanes` (default both); the agent's own health only with `health`."""
        return [
            sample
            for lane in lanes or Lane
            for batch in await self.batches(lane)
            for sample in batch.samples
            if health or sample.source != "edge/self"
        ]

    async def wait_for(self, count: int, limit: float = 30.0) -> list[Sample]:
        """The samples, once there are `count` of them."""
        deadline = time.monotonic() + limit
        while len(found := await self.samples()) < count:
            if time.monotonic() > deadline:
                raise AssertionError(f"{len(found)} of {count} samples after {limit:g} s: {found[-5:]}")
            await asyncio.sleep(0.05)
        return found


@pytest.fixture
async def streams(nats_server) -> AsyncIterator[Streams]:
    client = await nats.connect(nats_server.url)
    found = Streams(client)
    await found.create()
    yield found
    await client.close()


async def until(condition: Callable[[], object], what: str, limit: float = 30.0) -> None:
    """Let the event loop work until `condition` is true; fail with `what` after `limit` seconds."""
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {limit:g} s: {what}")
        await asyncio.sleep(0.005)
