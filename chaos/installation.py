"""Starting a `World`: every part on a free port, in a folder of its own, ended with the scenario."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from bench.servers import answers, find_mosquitto, python
from chaos.cable import cable
from chaos.parts import Part, Unbroken
from chaos.proxy import Link
from chaos.senders import modbus
from chaos.site import write_site
from chaos.world import CORE, Layout, World
from ingest.bus import BusUnavailable
from ingest.local_edges import LINKS, enrol_local
from ingest.nats_config import ServerPorts
from ingest.nats_files import ServerError, ServerPlan
from ingest.nats_server import find_server
from ingest.status import ask
from links.folder import write_link
from links.trust import SERVER_NAME
from supervision.ports import free_ports

_PORTS: Final = ("bus", "monitor", "mqtt", "web")


@asynccontextmanager
async def installation(
    folder: Path, layout: Layout | None = None, homes: Mapping[str, Path] | None = None
) -> AsyncIterator[World]:
    """Everything, started and ready; raises `Unbroken` when something cannot be started."""
    layout = layout or Layout()
    site = await asyncio.to_thread(write_site, folder / "site", devices=layout.devices, meters=layout.meters)
    links = ["bus core", *(f"{to} {edge}" for edge in layout.edges for to in ("bus", "mqtt"))]
    # all at once: a port that is chosen is not taken yet
    ports = dict(zip((*_PORTS, *links), free_ports(len(_PORTS) + len(links)), strict=True))
    world = World(folder, layout, site, ports, homes=dict(homes or {}))
    for name in links:
        world.links[name] = Link(name, ports[name.partition(" ")[0]], port=ports[name])
    async with AsyncExitStack() as stack:
        stack.push_async_callback(_end, world)
        for number, edge in enumerate(layout.cables):
            laid = world.cables[edge] = stack.enter_context(cable(number))
            for to in ("bus", "mqtt"):
                world.links[f"{to} {edge}"].host = laid.near
        for link in world.links.values():
            await link.open()
        for part in (_nats(world), _mosquitto(world)):
            world.parts[part.name] = part
            await part.start()
        for name in CORE:
            world.parts[name] = _core(world, name)
            await world.parts[name].start()
        for edge in layout.edges:
            if not layout.lines or not modbus.lines_of(site, edge):
                continue
            lines = world.serial_lines(edge)
            world.parts[lines.name] = lines
            await lines.start()
        for edge in layout.edges:
            world.parts[edge] = _edge(world, edge)
        await asyncio.gather(*(world.parts[edge].start() for edge in layout.edges))
        yield world


async def _end(world: World) -> None:
    """Senders first, the bus last; what stands still is let go."""
    for part in reversed([*world.parts.values()]):
        part.thaw()
        await part.kill()
    for link in world.links.values():
        await link.close()


def _nats(world: World) -> Part:
    """The server as `gridwarden bus` configures it, without an MQTT listener."""
    ports, files = ServerPorts(world.ports["bus"], 0, world.ports["monitor"]), world.server
    plan = ServerPlan(world.bus_data, ports, world.layout.max_store, tls=world.layout.tls)
    world.bus_data.mkdir(parents=True, exist_ok=True)
    try:
        binary = find_server()
        enrol_local(files, world.layout.edges)
        config = files.write(plan).config
    except ServerError as error:
        raise Unbroken(str(error)) from error

    async def healthy(_: Part) -> bool:
        async with httpx.AsyncClient(trust_env=False, timeout=2) as client:
            try:
                answer = await client.get(f"http://127.0.0.1:{ports.monitor}/healthz")
            except httpx.TransportError:
                return False
        return answer.status_code == httpx.codes.OK

    return Part("nats", [str(binary), "-c", str(config)], world.folder / "nats.log", healthy)


def _mosquitto(world: World) -> Part:
    binary = find_mosquitto()
    if binary is None:
        raise Unbroken("no mosquitto is installed (Debian package: mosquitto)")
    folder = world.folder / "mosquitto"
    folder.mkdir()
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {world.ports['mqtt']} 127.0.0.1\nallow_anonymous true\npersistence true\n"
        f"persistence_location {folder}/\nmax_queued_messages 0\nmax_inflight_messages 1000\n"
        "set_tcp_nodelay true\n" + ("user root\n" if os.geteuid() == 0 else ""),
        encoding="utf-8",
    )

    async def listens(_: Part) -> bool:
        return answers(world.ports["mqtt"])

    return Part("mosquitto", [binary, "-c", str(config)], world.folder / "mosquitto.log", listens)


def _core(world: World, name: str) -> Part:
    config = world.folder / "core.yaml"
    bus = {"url": world.url("bus core"), "user": "core", "password_file": str(world.secret("core"))}
    if world.layout.tls:
        bus |= {"ca_file": str(world.server.authority_file), "server_name": SERVER_NAME}
    document = {
        "site": str(world.folder / "site"),
        "data": str(world.core_data),
        "edges": str(world.edge_data),
        "bus": bus | dict(world.layout.streams),
        "keep": dict(world.layout.keep),
        "web": {"port": world.ports["web"]},
    }
    config.write_text(yaml.safe_dump(document), encoding="utf-8")

    async def serves(_: Part) -> bool:
        return answers(world.ports["web"])

    async def normalises(_: Part) -> bool:
        try:
            async with await world.bus() as bus:
                await ask(bus, 0, "hello", within=1)
        except BusUnavailable:
            return False
        return True

    ready = {"ingest": normalises, "gateway": serves}[name]
    return Part(
        name, python("gridwarden", name, "--config", str(config)), world.folder / f"{name}.log", ready
    )


def _edge(world: World, edge: str) -> Part:
    link = world.server.folder / LINKS / edge
    authority = world.server.authority_file.read_text(encoding="utf-8") if world.layout.tls else ""
    name = SERVER_NAME if world.layout.tls else ""
    write_link(link, edge, world.url(f"bus {edge}"), authority_pem=authority, server_name=name)
    broker = world.links[f"mqtt {edge}"]
    command = python(
        "edge", str(world.folder / "site"), "--id", edge, "--data", str(world.edge_data),
        "--link", str(link), "--broker", f"mqtt://{broker.host}:{broker.port}",
        *world.layout.edge_options,
    )  # fmt: skip
    if edge in world.cables:
        command = world.cables[edge].at_far_end(command)
    status = world.edge_data / edge / "status.json"

    async def hears(part: Part) -> bool:
        try:
            told: dict[str, Any] = json.loads(status.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return bool(told["process"] == part.pid and told["link"] and told["connections"]["z2m"]["up"])

    return Part(edge, command, world.folder / f"edge-{edge}.log", hears, world.layout.edge_environment)
