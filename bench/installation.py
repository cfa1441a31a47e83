"""An installation for one measurement: real servers and processes, nothing shared, nothing left behind."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import yaml

from bench import servers
from bench.community import write_site
from bench.figures import CannotMeasure, Conditions
from ingest.bus import Bus, BusUnavailable
from ingest.local_edges import enrol_local, local_link
from ingest.nats_config import ServerPorts
from ingest.nats_files import ServerError
from ingest.nats_server import NatsServer
from ingest.status import ask
from ingest.streams import StreamLimits
from registry.site import Site
from supervision.ports import free_ports


@dataclass
class Installation:
    """What runs. Make it with `installation`."""

    folder: Path
    site: Site
    nats: NatsServer
    broker: str
    web_port: int
    stack: AsyncExitStack
    processes: dict[str, psutil.Process] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Where the gateway answers."""
        return f"http://127.0.0.1:{self.web_port}"

    def secret(self, user: str) -> Path:
        """The file with a bus user's password."""
        return self.folder / "secrets" / f"nats-{user}"

    async def start_core(self, profile: Path | None = None) -> None:
        """Start ingest and gateway and wait until they serve; with `profile` they are sampled into it."""
        config = self.folder / "gateway.yaml"
        document = {
            "site": str(self.folder / "site"),
            "data": str(self.folder / "gateway"),
            "edges": str(self.folder / "edges"),
            "bus": {"url": self.nats.url, "user": "core", "password_file": str(self.secret("core"))},
            "web": {"port": self.web_port},
        }
        config.write_text(yaml.safe_dump(document), encoding="utf-8")
        async with await Bus.connect(self.nats.url, self.nats.credentials("core")) as bus:
            await self._start("ingest", config, profile, lambda: self._ingest_answers(bus))
        await self._start("gateway", config, profile, self._gateway_answers)

    async def _start(
        self, role: str, config: Path, profile: Path | None, ready: Callable[[], Awaitable[bool]]
    ) -> None:
        command = (
            servers.python("gridwarden", role, "--config", str(config))
            if profile is None
            else servers.python("bench.sampled_core", role, str(config), str(profile / f"{role}.json"))
        )
        log = self.folder / f"{role}.log"
        process = await self.stack.enter_async_context(servers.running(role, command, log))
        self.processes[role] = psutil.Process(process.pid)
        await servers.wait_for(ready, role, 60, process, log)

    async def _gateway_answers(self) -> bool:
        return servers.answers(self.web_port)

    async def _ingest_answers(self, bus: Bus) -> bool:
        try:
            await ask(bus, 0, "hello", within=1)
        except BusUnavailable:
            return False
        return True

    async def start_edge(self, edge: str) -> None:
        """Start an edge agent and wait until it hears its broker and reaches the bus."""
        log, data = self.folder / f"edge-{edge}.log", self.folder / "edges"
        command = servers.python(
            "edge", str(self.folder / "site"), "--id", edge, "--data", str(data),
            "--link", str(local_link(self.nats, edge)),
        )  # fmt: skip
        process = await self.stack.enter_async_context(servers.running(edge, command, log))
        self.processes["edge agent"] = psutil.Process(process.pid)
        status = data / edge / "status.json"

        async def hears() -> bool:
            try:
                told = json.loads(status.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                return False
            return bool(told["link"]) and bool(told["connections"]["z2m"]["up"])

        await servers.wait_for(hears, "edge agent", 60, process, log)

    async def load(self, plan: dict[str, object]) -> "Load":
        """Start a load (see `bench.load_process`); it begins at once."""
        name = f"load{sum(name.startswith('load') for name in self.processes)}"
        order, answer = self.folder / f"{name}.plan.json", self.folder / f"{name}.json"
        order.write_text(json.dumps(plan), encoding="utf-8")
        command = servers.python("bench.load_process", str(order), str(answer))
        log = self.folder / f"{name}.log"
        process = await self.stack.enter_async_context(servers.running(name, command, log))
        self.processes[name] = psutil.Process(process.pid)
        return Load(process, answer, log)

    def resident(self, name: str) -> tuple[float, float]:
        """Resident memory of a process now and at its highest, MB (10**6 bytes)."""
        pid = self.processes[name].pid
        fields = dict(
            line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line
        )
        now, peak = (int(fields[key].split()[0]) * 1024 / 1e6 for key in ("VmRSS", "VmHWM"))
        return now, peak


@dataclass
class Load:
    """A load that runs."""

    process: asyncio.subprocess.Process
    answer: Path
    log: Path

    @property
    def running(self) -> bool:
        """Whether it still sends."""
        return self.process.returncode is None

    async def result(self) -> dict[str, float]:
        """Wait until it has ended: readings (or messages) acknowledged, began and ended in ns, refused."""
        await self.process.wait()
        if self.process.returncode != 0:
            raise CannotMeasure("\n".join(["the load broke off", *servers.last_words(self.log)]))
        found: dict[str, float] = json.loads(self.answer.read_text(encoding="utf-8"))
        return found


@asynccontextmanager
async def installation(conditions: Conditions, *, broker: bool = False) -> AsyncIterator[Installation]:
    """A message bus with its streams, the site, and with `broker` an MQTT broker.

    The broker is an installed Mosquitto, else NATS' own listener. Raises `CannotMeasure`.
    """
    folder, tell = conditions.folder, conditions.tell
    client, monitor, mqtt, web = free_ports(4)
    async with AsyncExitStack() as stack:
        processes: dict[str, psutil.Process] = {}
        own_broker = broker and servers.find_mosquitto() is not None
        url = f"mqtt://127.0.0.1:{mqtt}"
        if own_broker:
            port, process = await stack.enter_async_context(servers.mosquitto(folder / "mosquitto"))
            processes["mosquitto"] = psutil.Process(process.pid)
            url = f"mqtt://127.0.0.1:{port}"
        elif broker:
            raise CannotMeasure("install mosquitto: the bench has no other MQTT broker")
        tell("writing the reference community")
        site = await asyncio.to_thread(write_site, folder / "site", conditions.devices, conditions.rules, url)
        nats = NatsServer(folder / "nats", folder / "secrets", ServerPorts(client, 0, monitor))
        stack.callback(nats.stop)
        try:
            enrol_local(nats.files, [*site.edges])
            nats.start()
        except ServerError as error:
            raise CannotMeasure(str(error)) from error
        assert nats.pid is not None
        processes["nats-server"] = psutil.Process(nats.pid)
        async with await Bus.connect(nats.url, nats.credentials("core")) as bus:
            await bus.ensure_streams(StreamLimits())
        yield Installation(folder, site, nats, url, web, stack, processes)


class Shares:
    """How much of a core each process uses between two moments."""

    def __init__(self, processes: dict[str, psutil.Process]) -> None:
        self._processes = dict(processes)
        self._began = time.monotonic()
        self._before = {name: _cpu(process) for name, process in processes.items()}

    def tell(self) -> str:
        """Cores used since the beginning, the busiest first."""
        took = time.monotonic() - self._began
        used = {
            name: (_cpu(process) - self._before[name]) / took for name, process in self._processes.items()
        }
        busy = sorted(used.items(), key=lambda item: -item[1])
        return ", ".join(f"{name} {share:.2f}" for name, share in busy if share >= 0.01)

    def micros(self, name: str, things: int) -> float:
        """Microseconds of processor time that a process spent per thing."""
        return (_cpu(self._processes[name]) - self._before[name]) * 1e6 / max(1, things)


def _cpu(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return float(times.user + times.system)
    return 0.0
