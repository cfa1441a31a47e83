"""A site moves to a server and back by one command, and the doctor says how the server is."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from gateway.config import GatewayConfig
from gateway.operations import file_store, open_operations, operations_store
from gridwarden.commands import operations
from gridwarden.commands.operations import Where, copy
from gridwarden.finding import Finding
from gridwarden.operations_check import check_operations
from links.secret_files import write_secret
from supervision.locks import Lock
from tests.postgres import NEWEST, PASSWORD, Cluster

Read = Callable[[], str]


class Site:
    """An installation of services, as far as its operations database goes."""

    def __init__(self, folder: Path, cluster: Cluster) -> None:
        self.file = folder / "gateway.yaml"
        self.document = {"site": str(folder / "site"), "data": str(folder / "core")}
        self.password = folder / "password"
        self.cluster = cluster
        write_secret(self.password, PASSWORD)
        self.keep_in()

    def keep_in(self, database: str = "") -> None:
        """Name a database on the server in the configuration; none: the file."""
        section = {"url": self.cluster.url(database), "password_file": str(self.password)}
        self.file.write_text(yaml.safe_dump(self.document | ({"operations": section} if database else {})))

    @property
    def config(self) -> GatewayConfig:
        return GatewayConfig.model_validate(yaml.safe_load(self.file.read_text()))

    def count(self) -> int:
        """Start once, and count on."""
        store = open_operations(self.config)
        with store.transaction() as tx:
            number = tx.next_number("case-20261130")
        store.close()
        return number


@pytest.fixture
def site(tmp_path: Path, postgres: Cluster) -> Site:
    return Site(tmp_path, postgres)


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Read:
    """What a command has said since."""
    return lambda: "".join(capsys.readouterr())


def move(site: Site, to: str, **more: Path) -> None:
    copy(to, Where(Path("var"), site.file), more.get("password_file"), more.get("ca_file"))


def refused(site: Site, to: str, said: Read, **more: Path) -> str:
    with pytest.raises(SystemExit) as ended:
        move(site, to, **more)
    assert ended.value.code
    return said()


def test_a_site_moves_to_a_server_and_back(site: Site, said: Read, tmp_path: Path) -> None:
    database = site.cluster.new_database()
    assert site.count() == 1
    move(site, site.cluster.url(database), password_file=site.password)
    told = said()
    shown = yaml.safe_load(told[told.index("operations:") : told.index("Then move")])
    assert shown == {"operations": {"url": site.cluster.url(database), "password_file": str(site.password)}}
    file = tmp_path / "core" / "operations.db"
    assert f"Then move {file} away" in told
    site.keep_in(database)
    file.rename(tmp_path / "old.db")
    assert site.count() == 2
    move(site, str(file))
    assert "remove the section `operations`" in said()
    site.keep_in()
    assert site.count() == 3
    site.cluster.drop(database)


def test_what_cannot_be_is_refused_with_a_sentence(
    site: Site, said: Read, postgres_database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("cases.store.postgres_server.LOCK_SECONDS", 0.2)
    url = site.cluster.url(postgres_database)
    assert "does not exist: there is nothing to copy" in refused(site, url, said, password_file=site.password)
    site.count()
    assert "where they are already" in refused(site, str(tmp_path / "core" / "operations.db"), said)
    assert "does not belong into `url`" in refused(site, "postgresql://gw:hunter2@127.0.0.1/g", said)
    assert "in clear text" in refused(site, "postgresql://gw@db.example.org/g", said)
    wrong = tmp_path / "wrong"
    write_secret(wrong, "hunter2")
    told = refused(site, url, said, password_file=wrong)
    assert "password authentication failed" in told
    assert "hunter2" not in told
    lock = Lock(tmp_path / "core" / "gateway.lock")
    assert "stop it first" in refused(site, url, said, password_file=site.password)
    lock.release()
    other = site.cluster.store(postgres_database)
    with other.transaction() as tx:
        tx.next_number("x")
    assert "advisory lock" in refused(site, url, said, password_file=site.password)
    other.close()
    assert "holds alarms or cases already" in refused(site, url, said, password_file=site.password)
    broken = tmp_path / "broken.db"
    broken.write_text("no database, but text that is longer than the head of one" * 10)
    assert "not a database" in refused(site, str(broken), said)
    with pytest.raises(SystemExit):
        operations.copy(url, Where(tmp_path / "nowhere", None), None, None)
    assert "does not exist yet" in said()


def findings(site: Site) -> list[Finding]:
    return [*check_operations(site.config)]


def test_the_doctor_says_how_the_server_is(site: Site) -> None:
    assert findings(site) == []  # a file: the gateway tells
    database = site.cluster.new_database()
    site.keep_in(database)
    answers, durable, empty = findings(site)
    assert answers.verdict == "good"
    assert answers.what.startswith("PostgreSQL 1")
    assert site.cluster.url(database) in answers.what
    assert (durable.verdict, empty.verdict) == ("bad", "warning")
    assert "fsync = off" in durable.what
    with_old_schema = operations_store(site.config)
    with_old_schema.migrate(revision="0001")
    assert f"has schema 0001, this version needs {NEWEST}" in findings(site)[2].what
    with_old_schema.migrate()
    (_, _, good) = findings(site)  # while somebody writes
    assert good == Finding("good", f"the operations database has schema {NEWEST}")
    with_old_schema.close()
    site.cluster.run("UPDATE alembic_version SET version_num = '9999'", database)
    assert "newer version" in findings(site)[2].what
    write_secret(site.password, "hunter2")
    (bad,) = findings(site)
    assert bad.verdict == "bad"
    assert "password authentication failed" in bad.what
    assert "hunter2" not in repr(bad)
    site.cluster.drop(database)


def test_a_file_is_copied_to_a_file_too(site: Site, tmp_path: Path) -> None:
    site.count()
    move(site, str(tmp_path / "elsewhere" / "copy.db"))
    store = file_store(tmp_path / "elsewhere" / "copy.db")
    with store.transaction() as tx:
        assert tx.next_number("case-20261130") == 2
    store.close()
