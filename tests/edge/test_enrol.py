"""A box becomes an edge at a real server, and every way in which it must not."""

import asyncio
import dataclasses
import stat
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge.bus import Bus
from edge.enrol import NotEnrolled, enrol
from edge.outbox import Group, Outbox
from edge.uplink import Uplink
from ingest.bus import Bus as CoreBus
from ingest.doorkeeper import Doorkeeper
from ingest.nats_config import ServerPorts
from ingest.nats_server import NatsServer
from language import Message
from links.addresses import Address
from links.authority import Authority
from links.folder import InvalidLink, Link
from links.invitation import Invitation
from readings import Lane, Sample
from tests.conftest import free_port
from tests.edge.conftest import until


@dataclasses.dataclass
class Core:
    """A message bus that lets boxes in."""

    server: NatsServer
    news: list[str]

    @property
    def address(self) -> Address:
        return Address("127.0.0.1", self.server.ports.client)

    async def invite(self, edge: str = "east", lifetime: float = 60.0) -> Invitation:
        """An invitation that the server knows."""
        register = self.server.files.register
        invitation = Invitation(edge, (self.address,), self.server.files.authority().public)
        with register.change() as enrolments:
            enrolments.invite(edge, invitation.key.public, time.time_ns(), int(lifetime * 1e9))
        await self.applied()
        return invitation

    async def applied(self) -> None:
        files = self.server.files
        await until(lambda: files.state().revision == files.register.revision, "the server has it")

    def enrolled(self) -> dict[str, str]:
        return self.server.files.register.read().public_keys()


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Core]:
    ports = ServerPorts(client=free_port(), mqtt=0, monitor=free_port())
    server = NatsServer(folder / "nats", folder / "secrets", ports, listen="127.0.0.1")
    news: list[str] = []
    server.start()
    try:
        async with await CoreBus.connect(server.url, server.credentials("core")) as bus:
            await bus.ensure_streams()

        def hear(message: Message) -> None:
            news.append(str(message))

        doorkeeper = asyncio.create_task(Doorkeeper(server, news=hear).run())
        yield Core(server, news)
        doorkeeper.cancel()
        await asyncio.wait([doorkeeper])
    finally:
        server.stop()


@pytest.fixture
async def core(tmp_path: Path) -> AsyncIterator[Core]:
    async with running(tmp_path / "core") as core:
        yield core


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "box" / "east" / "link"


async def refusal(invitation: Invitation, folder: Path) -> str:
    with pytest.raises(NotEnrolled) as refused:
        await enrol(invitation, folder)
    return str(refused.value)


async def test_an_invited_box_is_let_in_and_sends_as_its_edge(
    core: Core, folder: Path, tmp_path: Path
) -> None:
    link = await enrol(await core.invite(), folder)
    assert core.enrolled() == {"east": link.key.public}
    assert any("east is a box of its own now" in told for told in core.news)
    outbox = Outbox(tmp_path / "outbox.db", "east", base=0)
    now = time.time_ns()
    outbox.commit(Group({Lane.ALARM: [Sample("z2m/a", "p", True, now)]}), now)

    async def read(lane: Lane, after: int, limit: int) -> object:
        return outbox.recent(lane, after, limit)

    uplink = Uplink(outbox, read, Bus.of(Link.read(folder, "east")))  # type: ignore[arg-type]
    sending = asyncio.create_task(uplink.run())
    async with asyncio.timeout(20):
        await uplink.drain()
    assert abs(await uplink.clock_offset() or 9) < 5
    with core.server.files.register.change() as enrolments:
        enrolments.revoke("east", time.time_ns())
    await until(lambda: "revoked" in uplink.problem and not uplink.up, "it says that it was shut out")
    sending.cancel()
    await asyncio.wait([sending])
    outbox.close()


async def test_everything_a_box_keeps_is_for_its_user_only(core: Core, folder: Path) -> None:
    await enrol(await core.invite(), folder)
    assert {file.name for file in folder.iterdir()} == {"key", "authority.pem", "link.json"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (folder / "key").chmod(0o640)
    with pytest.raises(InvalidLink, match=f"chmod 600 {folder / 'key'}"):
        Link.read(folder, "east")


async def test_the_private_key_never_leaves_the_box(core: Core, folder: Path) -> None:
    seed = (await enrol(await core.invite(), folder)).key.seed
    for file in core.server.files.folder.rglob("*"):
        assert not file.is_file() or seed not in file.read_text(errors="replace"), file


async def test_a_token_serves_one_box(core: Core, folder: Path, tmp_path: Path) -> None:
    invitation = await core.invite()
    link = await enrol(invitation, folder)
    assert "another box has used this token" in await refusal(invitation, tmp_path / "thief" / "link")
    assert core.enrolled() == {"east": link.key.public}
    assert any("not let in: used" in told for told in core.news)


async def test_a_token_runs_out(core: Core, folder: Path) -> None:
    invitation = await core.invite(lifetime=0.5)
    await until(lambda: core.server.files.register.read().invited == {}, "the invitation is forgotten")
    await core.applied()
    assert "does not know this token" in await refusal(invitation, folder)
    assert core.enrolled() == {}
    assert not folder.exists()


async def test_a_later_token_makes_the_earlier_void(core: Core, folder: Path) -> None:
    first = await core.invite()
    second = await core.invite()
    assert "does not know this token" in await refusal(first, folder)
    await enrol(second, folder)


async def test_a_core_with_another_authority_learns_nothing(core: Core, folder: Path, tmp_path: Path) -> None:
    """As if the token named a wrong fingerprint, or somebody had put himself in between."""
    invitation = await core.invite()
    stranger = Authority.open(tmp_path / "stranger")
    wrong = dataclasses.replace(invitation, authority=stranger.public)
    assert "is not the core that made this token" in await refusal(wrong, folder)
    assert core.enrolled() == {}
    assert core.server.files.register.read().invited["east"].used_by is None
    await enrol(invitation, folder)


async def test_nobody_at_the_address_is_said(core: Core, folder: Path) -> None:
    invitation = await core.invite()
    nobody = Address("127.0.0.1", free_port())
    told = await refusal(dataclasses.replace(invitation, addresses=(nobody,)), folder)
    assert f"no core at {nobody}" in told
    both = dataclasses.replace(invitation, addresses=(nobody, core.address))
    assert str(core.address) in (await enrol(both, folder)).url


async def test_a_server_without_tls_is_named(folder: Path, tmp_path: Path) -> None:
    server = NatsServer(tmp_path / "n", tmp_path / "s", ServerPorts(free_port(), 0, free_port()))
    server.start()
    try:
        where = (Address("127.0.0.1", server.ports.client),)
        told = await refusal(Invitation("east", where, bytes(32)), folder)
    finally:
        server.stop()
    assert "does not begin with TLS" in told


async def test_a_repetition_after_a_lost_answer_completes_it(
    core: Core, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    invitation = await core.invite()

    def power_cut(*_: object, **__: object) -> None:
        raise OSError("power cut")

    with monkeypatch.context() as broken:
        broken.setattr("edge.enrol.write_link", power_cut)
        with pytest.raises(OSError, match="power cut"):
            await enrol(invitation, folder)
    known = core.enrolled()
    link = await enrol(invitation, folder)
    assert known == core.enrolled() == {"east": link.key.public}


async def test_enrolling_again_gives_a_new_key_and_shuts_the_old_one_out(core: Core, folder: Path) -> None:
    first = await enrol(await core.invite(), folder)
    second = await enrol(await core.invite(), folder)
    assert first.key != second.key
    assert core.enrolled() == {"east": second.key.public}
    assert Link.read(folder, "east").key == second.key
    assert [entry.name for entry in folder.parent.iterdir()] == ["link"]


async def test_a_failed_attempt_leaves_the_box_what_it_was(core: Core, folder: Path) -> None:
    link = await enrol(await core.invite(), folder)
    stale = await core.invite()
    await core.invite()
    await refusal(stale, folder)
    assert Link.read(folder, "east").key == link.key
    assert core.enrolled() == {"east": link.key.public}


async def test_a_core_whose_certificate_was_renewed_still_lets_in(core: Core, folder: Path) -> None:
    first = (core.server.files.folder / "server.pem").read_bytes()
    link = await enrol(await core.invite(), folder)
    (core.server.files.folder / "server.pem").unlink()
    await asyncio.to_thread(core.server.apply)
    assert (core.server.files.folder / "server.pem").read_bytes() != first
    assert Link.read(folder, "east").key == link.key
    invitation = await core.invite("west")
    await enrol(invitation, folder.parent.parent / "west" / "link")
    assert set(core.enrolled()) == {"east", "west"}


async def test_a_link_of_another_edge_is_refused(core: Core, folder: Path) -> None:
    await enrol(await core.invite(), folder)
    with pytest.raises(InvalidLink, match="is the link of edge east, not of west"):
        Link.read(folder, "west")
    (folder / "authority.pem").write_text("rubbish")
    with pytest.raises(InvalidLink, match="enrol this box again"):
        Link.read(folder, "east")
