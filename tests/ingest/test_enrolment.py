"""The register of edges: its rules, its file, and the desk that lets boxes in."""

import asyncio
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from ingest.enrolment import LIFETIME, Enrolments, NotEnrolled, Refused, Register, RegisterUnusable
from ingest.enrolment_desk import EnrolmentDesk
from links.admission import Admission, Application
from links.keys import Key
from links.secret_files import SecretExposed

NOW = 1_800_000_000_000_000_000
BOX, OTHER, INVITED = Key.new().public, Key.new().public, Key.new().public


@pytest.fixture
def enrolments() -> Enrolments:
    found = Enrolments()
    found.invite("east", INVITED, NOW)
    return found


def test_an_invitation_enrols_one_box_and_its_repetition_changes_nothing(enrolments: Enrolments) -> None:
    enrolments.redeem("east", BOX, NOW + 1)
    enrolments.redeem("east", BOX, NOW + 2)
    assert enrolments.public_keys() == {"east": BOX}
    assert enrolments.edges["east"].since == NOW + 1
    with pytest.raises(Refused, match="used"):
        enrolments.redeem("east", OTHER, NOW + 3)
    assert enrolments.public_keys() == {"east": BOX}


def test_an_invitation_runs_out(enrolments: Enrolments) -> None:
    with pytest.raises(Refused, match="expired"):
        enrolments.redeem("east", BOX, NOW + LIFETIME)
    assert not enrolments.forget_expired(NOW + LIFETIME - 1)
    assert enrolments.forget_expired(NOW + LIFETIME)
    assert enrolments.one_time_keys() == {}
    with pytest.raises(Refused, match="unknown"):
        enrolments.redeem("east", BOX, NOW)


def test_an_invitation_is_for_its_edge_only(enrolments: Enrolments) -> None:
    with pytest.raises(Refused, match="unknown"):
        enrolments.redeem("west", BOX, NOW)


def test_a_later_invitation_makes_the_earlier_void(enrolments: Enrolments) -> None:
    later = Key.new().public
    enrolments.invite("east", later, NOW + 1)
    assert enrolments.one_time_keys() == {"east": later}


def test_enrolling_anew_shuts_the_old_box_out(enrolments: Enrolments) -> None:
    enrolments.redeem("east", BOX, NOW)
    enrolments.invite("east", Key.new().public, NOW)
    assert enrolments.public_keys() == {"east": BOX}, "the old box works until the new one is there"
    enrolments.redeem("east", OTHER, NOW)
    assert enrolments.public_keys() == {"east": OTHER}


def test_a_box_cannot_show_the_key_of_another_edge(enrolments: Enrolments) -> None:
    """Twice the same key would make the server refuse its whole list of users."""
    enrolments.admit("west", OTHER, NOW)
    for taken in (OTHER, INVITED):
        with pytest.raises(Refused, match="key in use"):
            enrolments.redeem("east", taken, NOW)
    for rubbish in ("", "U", 'U", permissions: {}'):
        with pytest.raises(Refused, match="invalid key"):
            enrolments.redeem("east", rubbish, NOW)
    assert enrolments.public_keys() == {"west": OTHER}


def test_revoking_shuts_out_the_box_and_its_invitation(enrolments: Enrolments) -> None:
    enrolments.redeem("east", BOX, NOW)
    enrolments.revoke("east", NOW + 5)
    assert (enrolments.public_keys(), enrolments.one_time_keys()) == ({}, {})
    assert enrolments.revoked == {"east": NOW + 5}
    with pytest.raises(NotEnrolled):
        enrolments.revoke("east", NOW)
    enrolments.admit("east", OTHER, NOW)
    assert enrolments.revoked == {}


@pytest.mark.parametrize("edge", ["", "East", "a.b", "*", ">", "a b", 'x"'])
def test_an_edge_that_could_not_stand_in_a_subject_is_refused(enrolments: Enrolments, edge: str) -> None:
    with pytest.raises(ValueError, match="edge id"):
        enrolments.invite(edge, INVITED, NOW)


def test_the_register_is_kept_privately_and_a_failed_change_is_not(tmp_path: Path) -> None:
    register = Register(tmp_path / "secrets" / "enrolments.json")
    assert register.revision == ""
    with register.change() as enrolments:
        enrolments.admit("east", BOX, NOW)
    revision = register.revision
    assert stat.S_IMODE(register.file.stat().st_mode) == 0o600

    def change_and_fail() -> None:
        with register.change() as enrolments:
            enrolments.admit("west", OTHER, NOW)
            enrolments.admit("south", OTHER, NOW)

    with pytest.raises(Refused):
        change_and_fail()
    assert Register(register.file).read().public_keys() == {"east": BOX}
    assert register.revision == revision


def test_a_damaged_register_is_named_and_not_overwritten(tmp_path: Path) -> None:
    register = Register(tmp_path / "enrolments.json")
    register.file.write_text("{")
    register.file.chmod(0o600)
    with pytest.raises(RegisterUnusable, match=r"enrolments\.json"), register.change():
        pass
    assert register.file.read_text() == "{"
    register.file.chmod(0o644)
    with pytest.raises(RegisterUnusable, match="chmod 600") as refused:
        register.read()
    assert isinstance(refused.value.__cause__, SecretExposed)


async def _nothing() -> None:
    """Nothing has to be applied."""


def desk_of(
    tmp_path: Path,
    apply: Callable[[], Awaitable[None]] = _nothing,
    hand_over: Callable[[str], Awaitable[None]] | None = None,
) -> tuple[EnrolmentDesk, Register]:
    register = Register(tmp_path / "enrolments.json")
    with register.change() as enrolments:
        enrolments.invite("east", INVITED, NOW)
    welcome = Admission(authority="PEM", server_name="core")
    desk = EnrolmentDesk(register, welcome, apply, hand_over=hand_over, clock=lambda: NOW)
    return desk, register


async def ask(desk: EnrolmentDesk, edge: str, key: str) -> Admission:
    question = msgspec.json.encode(Application(key))
    return msgspec.json.decode(await desk.respond(edge, question), type=Admission)


async def test_the_server_knows_a_box_before_the_box_hears_that_it_does(tmp_path: Path) -> None:
    known: list[dict[str, str]] = []

    async def apply() -> None:
        known.append(register.read().public_keys())

    desk, register = desk_of(tmp_path, apply)
    answers = await asyncio.gather(*(ask(desk, "east", key) for key in (BOX, OTHER, BOX)))
    assert [answer.refused for answer in answers] == ["", "used", ""]
    assert answers[0] == Admission(authority="PEM", server_name="core")
    assert known[0] == {"east": BOX}


async def test_what_is_no_application_is_refused(tmp_path: Path) -> None:
    desk, register = desk_of(tmp_path)
    for rubbish in (b"", b"{", b"[]", b"{}", b'{"key": 1}', b"\xff"):
        assert msgspec.json.decode(await desk.respond("east", rubbish))["refused"] == "invalid key"
    assert register.read().public_keys() == {}


async def test_an_agent_on_the_core_finishes_before_a_box_becomes_its_edge(tmp_path: Path) -> None:
    told: list[tuple[str, dict[str, str]]] = []

    async def hand_over(edge: str) -> None:
        told.append((edge, register.read().public_keys()))

    desk, register = desk_of(tmp_path, hand_over=hand_over)
    with register.change() as enrolments:
        enrolments.admit("east", OTHER, NOW, local=True)
    assert (await ask(desk, "east", "rubbish")).refused == "invalid key"
    assert told == []
    assert (await ask(desk, "east", BOX)).refused == ""
    assert (await ask(desk, "east", BOX)).refused == ""
    assert told == [("east", {"east": OTHER})]
    assert register.read().public_keys() == {"east": BOX}
