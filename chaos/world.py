"""A whole installation whose every process and every link can be broken.

Everything is real: NATS, Mosquitto, the core's processes, edge agents, senders on MQTT. Between them stand
`Link`s::

    senders ─▶ broker ─▶ link "mqtt EDGE" ─▶ edge agent ─▶ link "bus EDGE" ─▶ NATS ◀─ link "bus core" ◀─ core
    serial lines ──────────────────────────────▲
"""

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx
import msgspec

from bench.servers import python
from chaos.cable import Cable
from chaos.journal import Mark, newest_heard
from chaos.parts import Part, Unbroken
from chaos.proxy import Link
from chaos.senders import modbus, mqtt, speech
from chaos.site import EDGES, LINES
from ingest.bus import Bus, Credentials
from ingest.nats_files import ServerFiles
from links.trust import SERVER_NAME, trust_authority
from registry.site import Site
from simulators.wires import line_name

CORE: Final = ("ingest", "gateway")
"""The core's processes, in the order of their start."""
_SENDER: Final = "sender"
_LINES: Final = "lines"
"""What the names of parts begin with that say something."""


@dataclass(frozen=True)
class Layout:
    """How big an installation is."""

    devices: int = 60
    meters: int = 4
    """On each edge."""
    edges: Sequence[str] = EDGES
    tls: bool = False
    """Whether the bus speaks TLS, with an authority of its own."""
    max_store: int = 8 * 1024**3
    """Bytes that NATS may use."""
    streams: Mapping[str, int] = field(default_factory=dict)
    """Sizes of the streams, as the core's configuration has them."""
    keep: Mapping[str, float] = field(default_factory=dict)
    """How long and how much is kept, as the core's configuration has it."""
    edge_options: Sequence[str] = ()
    """More of the edge agents' command line."""
    edge_environment: Mapping[str, str] = field(default_factory=dict)
    """More of their environment."""
    cables: Sequence[str] = ()
    """Edges at the far end of a cable that can be pulled out; they need `tls`."""
    lines: bool = True
    """Whether devices on serial lines answer. An edge that can keep nothing leaves out what it polled."""


@dataclass
class World:
    """What runs. Make it with `installation`."""

    folder: Path
    layout: Layout
    site: Site
    ports: dict[str, int]
    parts: dict[str, Part] = field(default_factory=dict)
    links: dict[str, Link] = field(default_factory=dict)
    cables: dict[str, Cable] = field(default_factory=dict)
    """By edge."""
    journals: list[Path] = field(default_factory=list)
    """Of the senders."""
    line_journals: list[Path] = field(default_factory=list)
    """Of the serial lines."""
    fires: list[str] = field(default_factory=list)
    """Devices that said that it burns, in order."""
    homes: dict[str, Path] = field(default_factory=dict)
    """Where "core", "edges" or "bus" keep their data, if not beside everything else: on a small disk."""
    _loads: int = 0

    @property
    def address(self) -> str:
        """Where the gateway answers."""
        return f"http://127.0.0.1:{self.ports['web']}"

    @property
    def core_data(self) -> Path:
        """The core's folder."""
        return self.homes.get("core", self.folder / "core")

    @property
    def edge_data(self) -> Path:
        """The folder with a folder per edge."""
        return self.homes.get("edges", self.folder / "edges")

    @property
    def bus_data(self) -> Path:
        """The streams' folder."""
        return self.homes.get("bus", self.folder / "nats")

    @property
    def server(self) -> ServerFiles:
        """What the NATS server works by."""
        return ServerFiles(self.folder / "secrets")

    def url(self, link: str) -> str:
        """The bus at the end of one of `links`."""
        through = self.links[link]
        return f"{'tls' if self.layout.tls else 'nats'}://{through.host}:{through.port}"

    def outbox(self, edge: str) -> Path:
        """An edge's outbox."""
        return self.edge_data / edge / "outbox.db"

    async def bus(self) -> Bus:
        """A connection to the bus past every link; close it."""
        tls = trust_authority(self.server.authority_file) if self.layout.tls else None
        name = SERVER_NAME if self.layout.tls else ""
        core = Credentials("core", self.server.password("core"), tls=tls, server_name=name)
        scheme = "tls" if self.layout.tls else "nats"
        return await Bus.connect(f"{scheme}://127.0.0.1:{self.ports['bus']}", core, name="chaos", patience=5)

    def secret(self, user: str) -> Path:
        """The file with a bus user's password."""
        return self.folder / "secrets" / f"nats-{user}"

    # -- senders --------------------------------------------------------------------------------------

    async def load(
        self,
        edge: str,
        rate: float,
        *,
        messages: int = 0,
        times: int = 1,
        spare: AbstractSet[str] = frozenset(),
        classes: Sequence[str] = speech.CLASSES,
    ) -> Part:
        """Start a sender for the devices of `edge`: `rate` messages a second (0: as fast as they are taken).

        With `messages` it ends after so many, else with `end_loads`. It speaks for devices of `classes`, but
        not for those in `spare`.
        """
        name = f"{_SENDER} {edge} {self._loads}"
        self._loads += 1
        stem = self.folder / name.replace(" ", "-")
        choir, journal = stem.with_suffix(".choir"), stem.with_suffix(".journal")
        speech.dump(speech.choir(self.site, edge, spare=spare, classes=classes), choir)
        order = mqtt.Order(stem.name, self.ports["mqtt"], str(choir), str(journal), rate, messages, times)
        stem.with_suffix(".order").write_bytes(msgspec.json.encode(order))
        self.journals.append(journal)

        async def speaks(_: Part) -> bool:
            return bool(newest_heard(journal))

        command = python("chaos.senders.mqtt", str(stem.with_suffix(".order")))
        part = self.parts[name] = Part(name, command, stem.with_suffix(".log"), speaks)
        await part.start()
        return part

    def serial_lines(self, edge: str) -> Part:
        """The devices on the serial lines of `edge`; not started yet."""
        name, journal = f"{_LINES} {edge}", self.folder / f"lines-{edge}.journal"
        self.line_journals.append(journal)
        folder = self.folder / LINES

        async def there(_: Part) -> bool:
            lines = modbus.lines_of(self.site, edge)
            return all((folder / line_name(edge, wire)).exists() for wire in lines)

        arguments = (str(self.folder / "site"), edge, str(folder), str(journal))
        command = python("chaos.senders.modbus", *arguments)
        return Part(name, command, journal.with_suffix(".log"), there)

    async def end_loads(self, limit: float = 60.0) -> None:
        """No sender says anything new; wait until all that was said is acknowledged."""
        senders = [part for name, part in self.parts.items() if name.startswith(_SENDER)]
        for part in (*senders, *(part for name, part in self.parts.items() if name.startswith(_LINES))):
            await part.stop(limit)
        for part in senders:
            # one that was killed, or had only just begun, still has something to say again
            last = Part(part.name, [*part.command, "--nothing-new"], part.log, part.ready)
            self.parts[part.name] = last
            await last.start(wait=False)
        for name in [part.name for part in senders]:
            await self.parts[name].finished(limit)

    def lasting(self) -> list[Part]:
        """The parts that never end by themselves: all but the senders."""
        return [part for name, part in self.parts.items() if not name.startswith(_SENDER)]

    def marks(self) -> list[Mark]:
        """The newest acknowledged value of every sender's edges and lanes."""
        return [mark for path in self.journals for mark in newest_heard(path)]

    # -- how far it is --------------------------------------------------------------------------------

    async def waiting_samples(self, edge: str, wanted: int, limit: float = 300.0) -> int:
        """Samples that wait in the outbox of `edge`, once there are `wanted`; raises `Unbroken`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + limit
        while (found := await asyncio.to_thread(_asked, self.outbox(edge), _SAMPLES)) < wanted:
            if loop.time() > deadline:
                raise Unbroken(f"only {found:,} of {wanted:,} samples wait at {edge} after {limit:g} s")
            await asyncio.sleep(0.5)
        return found

    def stored(self, marks: Sequence[Mark]) -> bool:
        """Whether all of `marks` are in the embedded store."""
        path = self.core_data / "readings.db"
        try:
            connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=2)
        except sqlite3.OperationalError:
            return False
        try:
            return all(
                connection.execute(
                    "SELECT 1 FROM series JOIN latest USING (sid) WHERE device = ? AND point = ?"
                    " AND iif(?3 > 0, latest.ts >= ?3, latest.value >= ?4)",
                    mark,
                ).fetchone()
                for mark in marks
            )
        except sqlite3.OperationalError:
            return False
        finally:
            connection.close()

    async def waiting(self) -> str:
        """What is still on its way between the parts; empty when nothing is."""
        for edge in self.layout.edges:
            if waiting := outbox_waiting(self.outbox(edge)):
                return f"{waiting} batches in the outbox of {edge}"
        try:
            streams = await self.streams()
        except httpx.TransportError as error:
            return f"NATS does not answer ({error})"
        for name, state in streams.items():
            if state["messages"]:
                return f"{state['messages']} batches in {name}"
        return ""

    async def streams(self) -> dict[str, dict[str, int]]:
        """Messages, bytes … of every stream of samples or readings; raises `httpx.TransportError`."""
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            found = await client.get(f"http://127.0.0.1:{self.ports['monitor']}/jsz?streams=1")
        return {
            stream["name"]: stream["state"]
            for account in found.json().get("account_details", ())
            for stream in account.get("stream_detail", ())
            if stream["name"].startswith(("SAMPLES", "READINGS"))
        }

    async def quiet(self, limit: float) -> None:
        """Wait until nothing is on its way; raises `Unbroken` after `limit` seconds."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + limit
        while waiting := await self.waiting():
            if loop.time() > deadline:
                raise Unbroken(f"not at rest after {limit:g} s: {waiting}")
            await asyncio.sleep(0.1)


_BATCHES: Final = "SELECT count(*) FROM batches JOIN lanes USING (lane) WHERE place > stored"
_SAMPLES: Final = "SELECT sum(samples) FROM batches JOIN lanes USING (lane) WHERE place > stored"


def outbox_waiting(path: Path) -> int:
    """Batches that JetStream has not confirmed, as far as the outbox's file knows."""
    return _asked(path, _BATCHES)


def _asked(path: Path, select: str) -> int:
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=2)) as connection:
            (count,) = connection.execute(select).fetchone()
    except sqlite3.OperationalError:
        return 0
    return int(count or 0)
