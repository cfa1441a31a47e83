"""``gridwarden up``: the whole platform on one machine, as processes of their own.

Order of start: message bus, ingest, gateway, simulators, edge agents; what feeds others stops before them.
Each step says what it does, and a step that fails says why and stops the rest.
"""

import asyncio
import contextlib
import errno
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import yaml

from gateway.configuration import Configuration
from gridwarden.commands.check import complain_about
from gridwarden.commands.edge import edge_command
from gridwarden.console_text import complain, say, stop, tell, translate
from gridwarden.message_bus import MessageBus
from gridwarden.news import follow
from gridwarden.processes import Child, ChildFailed, Supervisor, own_command
from gridwarden.site_check import check_site
from ingest.audit import balance
from ingest.database import StoreUnavailable
from ingest.local_edges import enrol_local, local_link
from ingest.nats_config import LOOPBACK
from ingest.nats_files import ServerError
from links.secret_files import write_secret
from readings.wire import UNREADABLE
from registry.problems import InvalidConfiguration
from simulators.community import write_community
from simulators.scenario import load_scenario
from supervision.ending import end
from supervision.locks import InUse, Lock
from supervision.output import bound, never_stop_for_the_log

STOP_SECONDS: Final = 5.0
LOGS_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What ``gridwarden up`` was asked for."""

    data: Path
    site: Path | None
    devices: int
    port: int
    bus_port: int
    bus_host: str
    mqtt_port: int
    influx: str
    influx_database: str
    influx_user: str
    influx_password_file: Path | None
    grafana: str
    simulators: bool
    scenario: str


def run(options: Options) -> None:
    """Run until Ctrl-C or SIGTERM."""
    never_stop_for_the_log()
    data = options.data.resolve()
    try:
        (data / "run").mkdir(parents=True, exist_ok=True)
        os.chmod(data / "run", 0o700)  # noqa: PTH101 - one call for a folder that may exist already
    except OSError as error:
        stop(tell("{folder} cannot be written: {reason}", folder=data, reason=error.strerror or error))
    with _only_one(data), contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_Up(options, data).run())


class _Up:
    def __init__(self, options: Options, data: Path) -> None:
        self.options = options
        self.data = data
        self.secrets = data / "run" / "secrets"
        self.site = options.site.resolve() if options.site else data / "site"
        self.address = f"http://127.0.0.1:{options.port}"
        self.supervisor = Supervisor(self._restarted, self._ended_for_good)
        self.bus = MessageBus(
            self.data / "nats",
            self.secrets,
            options.bus_port,
            options.mqtt_port,
            self._log("nats"),
            say,
            listen=options.bus_host,
            hand_over=self._hand_over,
        )

    async def run(self) -> None:
        started = time.monotonic()
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, stopping.set)
        say(f"GridWarden  {self.data}")
        work = asyncio.create_task(self._start(), name="start")
        halt = asyncio.create_task(stopping.wait(), name="stop signal")
        code = 0
        try:
            await asyncio.wait({work, halt}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
                self._ready(time.monotonic() - started)
                helpers = [
                    asyncio.create_task(follow(self.address), name="news"),
                    asyncio.create_task(_bound_logs(self.data / "log"), name="logs"),
                ]
                await halt
                await end(helpers)
        except _StepFailed as failed:
            complain(str(failed))
            code = 1
        finally:
            await end([work, halt])
            before = time.monotonic()
            if self.supervisor.children:
                say(tell("Stopping …"))
            await self.supervisor.stop()
            await self.bus.stop()
            if code == 0:
                say(tell("Stopped in {seconds} s.", seconds=f"{time.monotonic() - before:.1f}"))
                books = threading.Thread(target=self._tell_books, daemon=True)
                books.start()
                books.join(max(0.0, STOP_SECONDS - (time.monotonic() - before)))
                if books.is_alive():
                    say(tell("What the books say: gridwarden audit --data {data}", data=self.data))
        if code:
            raise SystemExit(code)

    def _tell_books(self) -> None:
        """What the books say of the data that is left behind."""
        try:
            books = balance(self.data / "gateway", self.data / "edges")
        except StoreUnavailable as error:
            complain(tell("The books cannot be read: {reason}", reason=error))
            return
        if books.first_difference is not None:
            complain(translate(books.first_difference))
            return
        say(
            tell(
                "The books balance: {taken} {taken|sample|samples} taken, {stored} stored, "
                "{quarantined} in quarantine, "
                "{waiting} {waiting|waits|wait} for the next start.",
                taken=f"{sum(row.taken for row in books.rows):,}",
                stored=f"{sum(row.stored for row in books.rows):,}",
                quarantined=f"{sum(row.quarantined for row in books.rows):,}",
                waiting=f"{sum(row.waiting + row.in_stream for row in books.rows):,}",
            )
        )

    async def _start(self) -> None:
        options = self.options
        bus_host = options.bus_host or LOOPBACK
        for name, host, port in (
            ("--port", LOOPBACK, options.port),
            ("--bus-port", bus_host, options.bus_port),
            ("--mqtt-port", LOOPBACK, options.mqtt_port),
        ):
            _port_is_free(name, host, port)
        configuration = self._configuration()
        if options.simulators:
            self._check_scenario()
        assert configuration.site is not None  # noqa: S101 - _configuration has checked it
        with _step(tell("message bus (NATS), MQTT broker")) as done:
            try:
                here = enrol_local(self.bus.server.files, [*configuration.site.edges])
                self.bus.start()
            except ServerError as error:
                raise _StepFailed(str(error)) from error
            done(f"{self.bus.server.url.rpartition('/')[2]}, MQTT 127.0.0.1:{options.mqtt_port}")
        config = str(self._gateway_config())
        with _step(tell("ingest")) as done:
            child = Child("ingest", own_command("ingest", "--config", config), self._log("ingest"))
            await self._run(child, self.bus.ingest_answers)
            done("")
        with _step(tell("gateway")) as done:
            child = Child("gateway", own_command("gateway", "--config", config), self._log("gateway"))
            await self._run(child, self._gateway_answers)
            done(self.address)
        if options.simulators:
            with _step(tell("simulated devices")) as done:
                await self._run(
                    Child(
                        "simulators",
                        own_command(
                            "simulate", options.scenario, "--serve",
                            "--site", str(self.site), "--data", str(self.data),
                            "--broker", f"mqtt://127.0.0.1:{options.mqtt_port}",
                        ),
                        self._log("simulators"),
                        stage=1,
                        patience=1.5,
                    )
                )  # fmt: skip
                done(tell("{devices} {devices|device|devices}, scenario {scenario}",
                          devices=len(configuration.site.devices), scenario=options.scenario))  # fmt: skip
        for edge in configuration.site.edges:
            with _step(tell("edge agent {edge}", edge=edge)) as done:
                if edge not in here:
                    done(tell("on a box of its own"))
                    continue
                link = self._local_link(edge)
                command = edge_command(self.site, edge, self.data / "edges", link=link)
                child = Child(f"edge-{edge}", command, self._log(f"edge-{edge}"), stage=1, patience=3.0)
                await self._run(child, partial(self._edge_listens, edge, child))
                done("")

    def _local_link(self, edge: str) -> Path:
        try:
            return local_link(self.bus.server, edge)
        except ServerError as error:
            raise _StepFailed(str(error)) from error

    async def _hand_over(self, edge: str) -> None:
        """Another box becomes `edge`: its agent here sends what it has in hand and ends."""
        if await self.supervisor.retire(f"edge-{edge}"):
            say(tell("The agent of {edge} on this machine has ended.", edge=edge))

    def _check_scenario(self) -> None:
        try:
            load_scenario(self.options.scenario, self.site / "scenarios")
        except InvalidConfiguration as error:
            for problem in error.problems:
                complain_about(problem)
            raise _StepFailed(tell("--scenario: see them with gridwarden simulate --list")) from error

    def _configuration(self) -> Configuration:
        if self.options.site is None and not (self.site / "site.yaml").exists():
            with _step(
                tell("reference community with {devices} devices", devices=self.options.devices)
            ) as done:
                password = self.secrets / "nats-mqtt"
                write_community(
                    self.site,
                    devices=self.options.devices,
                    broker_url=f"mqtt://127.0.0.1:{self.options.mqtt_port}",
                    serial_dir=str(self.data / "sim"),
                    username="mqtt",
                    password_file=str(password),
                )
                done(str(self.site))
        with _step(tell("site folder")) as done:
            configuration = check_site(self.site)
            if not configuration.sound:
                for problem in configuration.problems:
                    complain_about(problem)
                raise _StepFailed(tell("{site} has errors: mend them and start again.", site=self.site))
            assert configuration.site is not None  # noqa: S101 - sound says so
            done(
                tell(
                    "{grids} {grids|grid|grids}, {devices} {devices|device|devices}, "
                    "{rules} {rules|rule|rules}",
                    grids=len(configuration.site.grids),
                    devices=len(configuration.site.devices),
                    rules=len(configuration.rules),
                )
            )
        return configuration

    def _hook_secret(self) -> Path:
        """What Grafana's webhook shows; made once."""
        file = self.secrets / "grafana-hook"
        if not file.exists():
            write_secret(file, secrets.token_urlsafe(24))
        return file

    def _gateway_config(self) -> Path:
        options = self.options
        config: dict[str, Any] = {
            "site": str(self.site),
            "data": str(self.data / "gateway"),
            "edges": str(self.data / "edges"),
            "bus": {
                "url": self.bus.server.url,
                "user": "core",
                "password_file": str(self.secrets / "nats-core"),
            },
            "web": {"port": options.port, "grafana": options.grafana},
        }
        if options.grafana:
            config["web"]["grafana_secret_file"] = str(self._hook_secret())
        if self.bus.server.uses_tls:
            config["bus"] |= {
                "ca_file": str(self.bus.server.files.authority_file),
                "server_name": self.bus.server.server_name,
            }
        config["disk"] = {"others": [str(self.data / "nats")]}
        for section, limits in self._limits().items():
            config.setdefault(section, {}).update(limits)
        if options.influx:
            config["influx"] = {
                "url": options.influx,
                "database": options.influx_database,
                "user": options.influx_user,
                "password_file": str(options.influx_password_file.resolve())
                if options.influx_password_file
                else None,
            }
        path = self.data / "run" / "gateway.yaml"
        path.write_text(yaml.safe_dump(config, allow_unicode=True, sort_keys=False), encoding="utf-8")
        return path

    def _limits(self) -> dict[str, dict[str, Any]]:
        """What ``limits.yaml`` in the data folder adds to sections of the gateway's configuration."""
        file = self.data / "limits.yaml"
        if not file.exists():
            return {}
        try:
            found = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise _StepFailed(tell("{file} cannot be read: {reason}", file=file, reason=error)) from error
        if (
            not isinstance(found, dict)
            or not found.keys() <= {"bus", "keep", "disk"}
            or not all(isinstance(values, dict) for values in found.values())
        ):
            raise _StepFailed(tell("{file} may hold the sections bus, keep and disk", file=file))
        return found

    async def _run(self, child: Child, ready: Callable[[], Any] | None = None) -> None:
        try:
            await self.supervisor.run(child, ready)
        except (ChildFailed, OSError) as error:
            raise _StepFailed(tell("{name} did not start:\n{why}", name=child.name, why=error)) from error

    async def _gateway_answers(self) -> bool:
        try:
            async with httpx.AsyncClient(trust_env=False) as client:
                answer = await client.get(f"{self.address}/api/v1/health", timeout=1)
        except httpx.TransportError:
            return False
        return answer.status_code == httpx.codes.OK

    async def _edge_listens(self, edge: str, child: Child) -> bool:
        """Whether the agent has reached every wire that can be reached: nothing sent now is missed."""
        try:
            text = await asyncio.to_thread((self.data / "edges" / edge / "status.json").read_text, "utf-8")
            status = msgspec.json.decode(text, type=_EdgeStatus)
        except (OSError, *UNREADABLE):
            return False
        of_this_process = child.process is not None and status.process == child.process.pid
        return of_this_process and status.link and all(w.up or w.problem for w in status.connections.values())

    def _log(self, name: str) -> Path:
        return self.data / "log" / f"{name}.log"

    def _ended_for_good(self, child: Child, code: int) -> None:
        """A child said that starting it again is of no use: its configuration must be mended."""
        complain(
            tell("{name} stays down (exit code {code}) until this is mended:", name=child.name, code=code)
        )
        complain(child.last_words(4))

    def _restarted(self, child: Child, code: int, pause: float) -> None:
        say(
            tell(
                "{name} ended (exit code {code}); starting it again in {pause} s. Its log: {log}",
                name=child.name,
                code=code,
                pause=f"{pause:.1f}",
                log=child.log,
            )
        )

    def _ready(self, seconds: float) -> None:
        say("")
        say(
            tell(
                "Ready after {seconds} s.  Console: {address}", seconds=f"{seconds:.1f}", address=self.address
            )
        )
        say(tell("Ctrl-C stops everything; what happens is told here:"))
        say("")


async def _bound_logs(folder: Path) -> None:
    """Begin logs anew that have become too large."""
    while True:
        await asyncio.sleep(LOGS_SECONDS)
        await asyncio.to_thread(lambda: [bound(log) for log in folder.glob("*.log")])


class _Wire(msgspec.Struct):
    """A connection in an edge's ``status.json``."""

    up: bool
    problem: str


class _EdgeStatus(msgspec.Struct):
    """What an edge's ``status.json`` says that matters here."""

    process: int
    link: bool
    connections: dict[str, _Wire]


class _StepFailed(Exception):
    """A step of the start went wrong; the text says why."""


@contextlib.contextmanager
def _step(what: str) -> Iterator[Callable[[str], None]]:
    """Say what begins, and on the same line how it ended."""
    import sys

    sys.stdout.write(f"  {what} … ")
    sys.stdout.flush()
    ended = False

    def done(note: str) -> None:
        nonlocal ended
        ended = True
        say(note or tell("running"))

    try:
        yield done
    finally:
        if not ended:
            say(tell("failed"))


@contextlib.contextmanager
def _only_one(data: Path) -> Iterator[None]:
    """Hold the installation's lock; a second ``up`` on the same folder is refused."""
    try:
        lock = Lock(data / "run" / "up.lock")
    except InUse as error:
        stop(
            tell(
                "GridWarden already runs on {data} (process {pid}). "
                "Use its console, stop it with Ctrl-C, or name another folder with --data.",
                data=data,
                pid=error.process or "?",
            )
        )
    try:
        yield
    finally:
        lock.release()


def _port_is_free(option: str, host: str, port: int) -> None:
    if port == 0:
        return
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise _StepFailed(
                    tell("{host} is no address of this machine: {reason}", host=host, reason=error.strerror)
                ) from error
            raise _StepFailed(
                tell(
                    "port {port} is taken ({reason}). Choose another with {option}, "
                    "or see who has it: ss -ltnp 'sport = {port}'",
                    port=port,
                    reason=error.strerror,
                    option=option,
                )
            ) from error
