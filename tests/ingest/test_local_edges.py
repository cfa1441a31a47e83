"""The edges of the core's own machine: enrolled by themselves, and only those that run there."""

import stat
from pathlib import Path

import pytest

from ingest.local_edges import enrol_local, local_link
from ingest.nats_config import ServerPorts
from ingest.nats_files import ServerError, ServerFiles
from ingest.nats_server import NatsServer
from links.folder import Link
from links.keys import Key


@pytest.fixture
def files(tmp_path: Path) -> ServerFiles:
    return ServerFiles(tmp_path / "secrets")


def test_each_edge_of_the_site_is_enrolled_once(files: ServerFiles) -> None:
    assert enrol_local(files, ["east", "west"]) == ["east", "west"]
    first = files.register.read()
    assert set(first.public_keys()) == {"east", "west"}
    assert all(enrolled.local for enrolled in first.edges.values())
    assert enrol_local(files, ["east", "west"]) == ["east", "west"]
    assert files.register.read() == first


def test_an_edge_that_left_the_site_is_shut_out(files: ServerFiles) -> None:
    enrol_local(files, ["east", "west"])
    assert enrol_local(files, ["west"]) == ["west"]
    assert set(files.register.read().public_keys()) == {"west"}


def test_an_edge_on_a_box_of_its_own_and_a_revoked_one_stay_where_they_are(files: ServerFiles) -> None:
    enrol_local(files, ["east", "west", "north"])
    with files.register.change() as enrolments:
        box = Key.new().public
        enrolments.admit("east", box, 1)
        enrolments.revoke("north", 2)
    assert enrol_local(files, ["east", "west", "north"]) == ["west"]
    assert files.register.read().public_keys()["east"] == box
    assert "north" not in files.register.read().public_keys()


def test_a_lost_key_is_made_anew(files: ServerFiles) -> None:
    enrol_local(files, ["east"])
    before = files.register.read().public_keys()["east"]
    (files.folder / "edges" / "east" / "key").unlink()
    enrol_local(files, ["east"])
    assert files.register.read().public_keys()["east"] != before


def test_a_key_that_others_can_read_stops_the_start(files: ServerFiles) -> None:
    enrol_local(files, ["east"])
    (files.folder / "edges" / "east" / "key").chmod(0o644)
    with pytest.raises(ServerError, match="chmod 600"):
        enrol_local(files, ["east"])


@pytest.mark.parametrize("listen", ["", "127.0.0.1"])
def test_its_link_says_how_the_bus_is_reached_now(tmp_path: Path, listen: str) -> None:
    server = NatsServer(tmp_path / "nats", tmp_path / "secrets", ServerPorts(4777), listen=listen)
    enrol_local(server.files, ["east"])
    server.files.authority()
    folder = local_link(server, "east")
    link = Link.read(folder, "east")
    assert link.url == ("tls" if listen else "nats") + "://127.0.0.1:4777"
    assert (link.authority is not None, link.tls is not None) == (bool(listen), bool(listen))
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
