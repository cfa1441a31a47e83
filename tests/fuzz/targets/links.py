"""What comes over a link before anybody is known: tokens, applications, answers, and a box's own files."""

import asyncio
import tempfile
from pathlib import Path

import msgspec

from ingest.enrolment import Register
from ingest.enrolment_desk import EnrolmentDesk
from links.addresses import Address, InvalidAddress, objection_to
from links.admission import Admission, Application
from links.authority import WrongAuthority, check_is, check_signed
from links.folder import InvalidLink, Link, own_key, write_link
from links.invitation import InvalidToken, Invitation
from links.keys import InvalidKey, Key, public_key
from tests.fuzz.target import Target

_KEY = Key.of(bytes(32))
_INVITATION = Invitation("east-1", (Address("10.0.0.5", 4222), Address("fd00::5", 1)), bytes(32), bytes(16))


def _check_token(data: bytes) -> None:
    """A token is whole and reads back, or it is refused in a short sentence."""
    try:
        found = Invitation.read(data.decode("utf-8", "replace"))
    except InvalidToken as error:
        assert len(str(error)) <= 200
    else:
        assert Invitation.read(found.token) == found


def _check_key(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    try:
        assert public_key(text) == text.strip()
    except InvalidKey as error:
        assert len(str(error)) <= 200
    try:
        assert Key.from_seed(text).seed == text.strip()
    except InvalidKey as error:
        assert text.strip() not in str(error) or len(text.strip()) < 8


def _check_address(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    try:
        found = Address.parse(text)
    except InvalidAddress as error:
        assert len(str(error)) <= 600
    else:
        assert Address.parse(str(found)) == found
    objection_to(text, authenticated=True)


def _check_application(data: bytes) -> None:
    """Whatever an invited box says, it gets an answer, and only a key lets it in."""
    with tempfile.TemporaryDirectory() as folder:
        register = Register(Path(folder) / "enrolments.json")
        with register.change() as enrolments:
            enrolments.invite("east", Key.of(bytes(31) + b"\1").public, 0, 10)

        async def apply() -> None:
            """No server runs here."""

        desk = EnrolmentDesk(
            register, Admission(authority="PEM"), apply, news=lambda _: None, clock=lambda: 1
        )
        answer = msgspec.json.decode(asyncio.run(desk.respond("east", data)), type=Admission)
        keys = register.read().public_keys()
        assert (answer.refused == "") == bool(keys)
        for key in keys.values():
            assert public_key(key) == key


def _check_admission(data: bytes) -> None:
    """A box believes nobody but the authority of its token."""
    for check in (check_is, check_signed):
        try:
            check(data.decode("latin-1"), bytes(32))
        except WrongAuthority:
            continue
        raise AssertionError("believed")


def _check_link(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        own_key(folder)
        write_link(folder, "east", "nats://127.0.0.1:1")
        (folder / "link.json").write_bytes(data)
        try:
            assert Link.read(folder, "east").edge == "east"
        except InvalidLink as error:
            assert str(error)


TARGETS = (
    Target(
        "token", _check_token, (_INVITATION.token.encode(), f" {_INVITATION.token[:30]}\r\n".encode()),
        (b"gw1.", b"=", b"-", b"_", b"\0", b"\xff"), hostile=(b"gw1." + b"A" * 5_000_000,),
    ),
    Target("key", _check_key, (_KEY.seed.encode(), _KEY.public.encode()), (b"SU", b"U", b"=", b"\xff")),
    Target(
        "address", _check_address,
        (b"core", b"10.0.0.5:4222", b"[fd00::5]:1", b"tls://core:4222,nats://[::1]:4222", b"nats://u:p@h"),
        (b":", b"[", b"]", b"@", b"//", b"%", b"\xff", b"99999"),
    ),
    Target(
        "application", _check_application, (msgspec.json.encode(Application(_KEY.public)),),
        (b'"', b"{", b"key", b"\\u0000", b"U"), runs=50,
    ),
    Target(
        "admission", _check_admission, (b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",)
    ),
    Target(
        "link", _check_link, (b'{"edge":"east","url":"nats://127.0.0.1:4222","server_name":"x"}',),
        (b"tls://", b"nats://", b",", b"east", b"\\ud800", b"[", b"%"), runs=50,
    ),
)  # fmt: skip
