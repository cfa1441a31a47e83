"""What each user of the real server may do, and that it stops the moment it may no longer."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nats.errors
import nats.js.errors
import psutil
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from ingest.bus import Bus, BusUnavailable
from ingest.nats_config import OpenListener, ServerPorts, server_config
from ingest.nats_files import ServerError
from ingest.nats_server import NatsServer
from links.keys import Key
from links.trust import SERVER_NAME, explain, trust_authority
from readings.subjects import ABOUT_ME, edge_inbox, enrolment_inbox, enrolment_subject
from tests.conftest import free_port
from tests.edge.conftest import until

EAST, WEST, INVITED = Key.new(), Key.new(), Key.new()


def new_server(folder: Path, listen: str = "", **more: object) -> NatsServer:
    ports = ServerPorts(client=free_port(), mqtt=free_port(), monitor=free_port())
    return NatsServer(folder / "nats", folder / "secrets", ports, listen=listen, **more)  # type: ignore[arg-type]


@pytest.fixture(params=["", "127.0.0.1"], ids=["open on loopback", "tls"])
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[NatsServer]:
    server = new_server(tmp_path, request.param)
    with server.files.register.change() as enrolments:
        enrolments.admit("east", EAST.public, 0)
        enrolments.admit("west", WEST.public, 0)
        enrolments.invite("north", INVITED.public, 0)
    server.start()
    yield server
    server.stop()


class Connection:
    """One raw client of the server, and what it was told."""

    def __init__(self) -> None:
        self.client = Client()
        self.errors: list[str] = []
        self.closed = asyncio.Event()

    async def _on_error(self, error: Exception) -> None:
        self.errors.append(str(error))

    async def _on_closed(self) -> None:
        self.closed.set()

    async def refused(self, what: str) -> None:
        """Wait until the server has said that `what` is not permitted."""
        await until(lambda: any(what.lower() in error for error in self.errors), what)


@asynccontextmanager
async def connected(server: NatsServer, key: Key, inbox: str) -> AsyncIterator[Connection]:
    made = Connection()
    tls = {}
    if server.uses_tls:
        context = trust_authority(server.files.authority_file)
        tls = {"tls": context, "tls_hostname": SERVER_NAME, "tls_handshake_first": True}
    await made.client.connect(
        server.url,
        nkeys_seed_str=key.seed,
        inbox_prefix=inbox,
        allow_reconnect=False,
        error_cb=made._on_error,
        closed_cb=made._on_closed,
        **tls,
    )
    try:
        yield made
    finally:
        await made.client.close()


@asynccontextmanager
async def core_of(server: NatsServer) -> AsyncIterator[Bus]:
    async with await Bus.connect(server.url, server.credentials("core")) as bus:
        await bus.ensure_streams()
        yield bus


async def stored(core: Bus, stream: str) -> int:
    return (await core.jetstream.stream_info(stream)).state.last_seq


async def test_an_edge_publishes_its_samples_and_learns_about_itself(server: NatsServer) -> None:
    async with core_of(server) as core, connected(server, EAST, edge_inbox("east")) as edge:
        for lane in ("alarm", "telemetry"):
            assert (await edge.client.jetstream().publish(f"samples.0.east.{lane}", b"1")).seq == 1
        answer = await edge.client.request(ABOUT_ME, b"", timeout=5)
        assert EAST.public.encode() in answer.data
        assert edge.errors == []
        assert await stored(core, "SAMPLES_ALARM") == 1


NOT_TO_PUBLISH = (
    "samples.0.west.alarm",
    "samples.1.east.alarm",
    "samples.0.east.other",
    "samples.0.east",
    "readings.0.alarm",
    "core.ingest.0.command",
    enrolment_subject("east"),
    "$JS.API.INFO",
    "$JS.API.STREAM.INFO.SAMPLES_ALARM",
    "$JS.API.STREAM.NAMES",
    "$JS.API.STREAM.PURGE.SAMPLES_ALARM",
    "$JS.API.STREAM.MSG.GET.SAMPLES_ALARM",
    "$JS.API.CONSUMER.CREATE.SAMPLES_ALARM",
    "$JS.API.CONSUMER.MSG.NEXT.SAMPLES_ALARM.normaliser",
    "$JS.ACK.SAMPLES_ALARM.normaliser.1.1.1.1.0",
    "$SYS.REQ.SERVER.PING",
    "$SYS.REQ.ACCOUNT.$G.CONNZ",
    f"{edge_inbox('west')}.x",
    "_CORE.x",
)


async def test_an_edge_publishes_nowhere_else(server: NatsServer) -> None:
    async with core_of(server) as core, connected(server, EAST, edge_inbox("east")) as edge:
        heard: list[str] = []

        async def hear(message: Msg) -> None:
            heard.append(message.subject)

        for subject in NOT_TO_PUBLISH:
            await core._client.subscribe(subject, cb=hear)
        await core.flush()
        for subject in NOT_TO_PUBLISH:
            await edge.client.publish(subject, b"forged", reply=f"{edge_inbox('east')}.r")
        await edge.client.publish("samples.0.east.alarm", b"allowed")
        await edge.client.flush()
        for subject in NOT_TO_PUBLISH:
            await edge.refused(f'permissions violation for publish to "{subject}"')
        await core.flush()
        assert heard == []
        assert await stored(core, "SAMPLES_ALARM") == 1


NOT_TO_HEAR = (
    ">",
    "samples.>",
    "samples.0.west.alarm",
    "samples.0.east.alarm",
    "readings.>",
    "core.>",
    "$JS.>",
    "$SYS.>",
    "_CORE.>",
    "_INBOX.>",
    "_INBOX.*.>",
    f"{edge_inbox('west')}.>",
    "_ENROL.>",
)


async def test_an_edge_hears_nothing_but_its_own_inbox(server: NatsServer) -> None:
    async with (
        core_of(server),
        connected(server, WEST, edge_inbox("west")) as other,
        connected(server, EAST, edge_inbox("east")) as edge,
    ):
        heard: list[str] = []

        async def hear(message: Msg) -> None:
            heard.append(message.subject)

        for subject in NOT_TO_HEAR:
            await edge.client.subscribe(subject, cb=hear)
            await edge.refused(f'permissions violation for subscription to "{subject}"')
        assert (await other.client.jetstream().publish("samples.0.west.alarm", b"1")).seq == 1
        await edge.client.flush()
        assert heard == []


async def test_an_edge_cannot_consume(server: NatsServer) -> None:
    async with core_of(server) as core, connected(server, EAST, edge_inbox("east")) as edge:
        await core.consume("SAMPLES_ALARM", "normaliser")
        stream = edge.client.jetstream(timeout=1)
        with pytest.raises((nats.errors.Error, nats.js.errors.Error, TimeoutError)):
            await stream.pull_subscribe("samples.>", durable="normaliser", stream="SAMPLES_ALARM")
        with pytest.raises((nats.errors.Error, nats.js.errors.Error, TimeoutError)):
            await stream.add_consumer("SAMPLES_ALARM", durable_name="thief")


async def test_an_invited_box_may_ask_to_be_let_in_and_nothing_else(server: NatsServer) -> None:
    async with core_of(server), connected(server, INVITED, enrolment_inbox("north")) as box:
        for subject in ("samples.0.north.alarm", enrolment_subject("east"), ABOUT_ME, "$JS.API.INFO"):
            await box.client.publish(subject, b"")
            await box.refused(f'permissions violation for publish to "{subject}"')
        await box.client.subscribe(f"{edge_inbox('north')}.>")
        await box.refused("permissions violation for subscription")
        with pytest.raises(nats.errors.NoRespondersError):
            await box.client.request(enrolment_subject("north"), b"", timeout=5)


async def test_a_key_that_nobody_enrolled_is_refused(server: NatsServer) -> None:
    with pytest.raises(nats.errors.Error, match="Authorization Violation") as refused:
        async with connected(server, Key.new(), edge_inbox("east")):
            pass
    assert "revoked, replaced by another box, or never enrolled" in str(
        explain(refused.value, datetime.now(UTC))
    )


async def test_a_revoked_edge_is_cut_off_at_once_and_the_others_notice_nothing(server: NatsServer) -> None:
    async with (
        core_of(server) as core,
        connected(server, EAST, edge_inbox("east")) as east,
        connected(server, WEST, edge_inbox("west")) as west,
    ):
        with server.files.register.change() as enrolments:
            enrolments.revoke("east", 0)
        await asyncio.to_thread(server.apply)
        async with asyncio.timeout(5):
            await east.closed.wait()
        with pytest.raises(nats.errors.Error, match="Authorization Violation"):
            async with connected(server, EAST, edge_inbox("east")):
                pass
        assert (await west.client.jetstream().publish("samples.0.west.alarm", b"1")).seq == 1
        assert (west.errors, west.closed.is_set(), core.connected) == ([], False, True)


async def test_a_box_enrolled_while_the_server_runs_may_come_in(server: NatsServer) -> None:
    south = Key.new()
    async with core_of(server), connected(server, WEST, edge_inbox("west")) as west:
        with server.files.register.change() as enrolments:
            enrolments.admit("south", south.public, 0)
        assert server.files.are_due()
        await asyncio.to_thread(server.apply)
        assert not server.files.are_due()
        async with connected(server, south, edge_inbox("south")) as edge:
            assert (await edge.client.jetstream().publish("samples.0.south.alarm", b"1")).seq == 1
        assert not west.closed.is_set()


async def test_a_replaced_box_is_cut_off(server: NatsServer) -> None:
    replacement = Key.new()
    async with core_of(server), connected(server, EAST, edge_inbox("east")) as old:
        with server.files.register.change() as enrolments:
            enrolments.admit("east", replacement.public, 0)
        await asyncio.to_thread(server.apply)
        async with asyncio.timeout(5):
            await old.closed.wait()
        async with connected(server, replacement, edge_inbox("east")) as new:
            assert (await new.client.jetstream().publish("samples.0.east.alarm", b"1")).seq == 1


async def test_with_tls_nobody_gets_a_word_in_clear_text(tmp_path: Path) -> None:
    server = new_server(tmp_path, "127.0.0.1")
    server.start()
    try:
        with socket.create_connection(("127.0.0.1", server.ports.client), 5) as plain:
            plain.settimeout(10)
            plain.sendall(b'CONNECT {"verbose":true}\r\nPING\r\n')
            assert b"INFO" not in plain.recv(4096)
        with pytest.raises(BusUnavailable):
            await Bus.connect(
                f"nats://127.0.0.1:{server.ports.client}", server.credentials("mqtt"), patience=2
            )
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode, old.maximum_version = (
            False,
            ssl.CERT_NONE,
            ssl.TLSVersion.TLSv1_2,
        )
        with (
            socket.create_connection(("127.0.0.1", server.ports.client), 5) as plain,
            pytest.raises(ssl.SSLError),
        ):
            old.wrap_socket(plain)
    finally:
        server.stop()


async def test_a_client_that_expects_tls_does_not_fall_back_to_clear_text(tmp_path: Path) -> None:
    """A server (or somebody in between) that says it needs no TLS gets no word from us."""
    heard = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"server_id":"x","version":"2.11.0","auth_required":true,"nonce":"abc"}\r\n')
        heard.extend(await reader.read(4096))
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    credentials = new_server(tmp_path, "127.0.0.1").credentials("core")
    async with listener:
        with pytest.raises(BusUnavailable):
            await Bus.connect(f"tls://127.0.0.1:{port}", credentials, patience=3)
    assert credentials.password.encode() not in heard
    assert b"CONNECT" not in heard


async def test_a_renewed_certificate_is_shown_without_a_cut(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    server = new_server(tmp_path, "127.0.0.1", clock=lambda: now)
    server.start()

    def shown() -> str:
        return ssl.get_server_certificate(("127.0.0.1", server.ports.client), timeout=10)

    try:
        async with core_of(server) as core:
            first = await asyncio.to_thread(shown)
            assert not server.files.are_due()
            now += timedelta(days=300)
            assert server.files.are_due()
            await asyncio.to_thread(server.apply)
            assert not server.files.are_due()
            assert await asyncio.to_thread(shown) != first
            assert core.connected
            async with core_of(server):
                pass
    finally:
        server.stop()


def test_nothing_listens_beyond_loopback_without_tls(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "::", "10.0.0.5", "core.example.org", ""):
        with pytest.raises(OpenListener, match="without TLS"):
            server_config(tmp_path, ServerPorts(), 1, host=host)


async def test_on_every_address_only_the_clients_port_listens(tmp_path: Path) -> None:
    server = new_server(tmp_path, "0.0.0.0", names=["10.0.0.5"])
    server.start()
    try:
        assert server.pid is not None
        listening = [c for c in psutil.Process(server.pid).net_connections() if c.status == "LISTEN"]
        found = {c.laddr.port: c.laddr.ip for c in listening}
        assert found.pop(server.ports.client) in ("0.0.0.0", "::")
        assert found == {server.ports.mqtt: "127.0.0.1", server.ports.monitor: "127.0.0.1"}
        async with core_of(server):
            assert server.url == f"tls://127.0.0.1:{server.ports.client}"
    finally:
        server.stop()


def test_a_damaged_register_keeps_the_server_from_starting_and_is_named(tmp_path: Path) -> None:
    server = new_server(tmp_path)
    server.files.password("core")
    server.files.register.file.write_text("{")
    server.files.register.file.chmod(0o600)
    with pytest.raises(ServerError, match=r"enrolments\.json"):
        server.start()


def test_what_other_commands_are_told_ends_with_the_server(tmp_path: Path) -> None:
    server = new_server(tmp_path)
    assert server.files.state() is None
    server.start()
    state = server.files.state()
    assert state is not None
    assert (state.url, state.tls, state.revision) == (server.url, False, "")
    server.stop()
    assert server.files.state() is None
