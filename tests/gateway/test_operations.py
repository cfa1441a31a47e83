"""Where a gateway keeps alarms and cases: what its configuration may say, and what it will not begin with."""

from pathlib import Path
from typing import Any

import pytest

from cases.store import OperationsStore
from gateway.config import GatewayConfig
from gateway.operations import open_operations, operations_store
from gridwarden.commands.core import read_config
from ingest.opening import CannotRun
from registry.problems import InvalidConfiguration
from tests.postgres import NEWEST, Cluster


def config(folder: Path, operations: dict[str, Any] | None = None) -> GatewayConfig:
    document = {"site": str(folder / "site"), "data": str(folder / "core")}
    return GatewayConfig.model_validate(document | ({"operations": operations} if operations else {}))


def on(postgres: Cluster, database: str, folder: Path) -> GatewayConfig:
    password = str(postgres.login.password_file)
    return config(folder, {"url": postgres.url(database), "password_file": password})


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("url: postgresql://gw:hunter2@127.0.0.1/g", "a password does not belong into `url`"),
        ("url: postgresql://gw@127.0.0.1/g?password=hunter2", "a password does not belong into `url`"),
        ("url: postgresql://gw@db.example.org/g", "would carry everything in clear text"),
        ("url: postgresql://gw@db.example.org/g\n  ca_file: /ca.pem", "it needs a password"),
        ("url: sqlite:////tmp/x.db", "must be postgresql://USER@HOST/DATABASE"),
        ("url: postgresql://gw@127.0.0.1/g\n  password: hunter2", "unknown key `password`"),
        ("password_file: /secret", "`url` is missing"),
        ("url: [1]", "must be text"),
    ],
)
def test_what_may_not_be_is_refused_with_a_sentence_and_without_the_password(
    tmp_path: Path, lines: str, told: str
) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(f"site: site\ndata: data\noperations:\n  {lines}\n")
    with pytest.raises(InvalidConfiguration) as refused:
        read_config(file)
    (problem,) = refused.value.problems
    said = str(problem.told(problem.short))
    assert told in said
    assert "hunter2" not in f"{said} {problem!r} {refused.value} {refused.value.__cause__}"


def test_without_a_word_it_is_a_file_in_the_data_folder(tmp_path: Path) -> None:
    store = open_operations(config(tmp_path))
    assert (tmp_path / "core" / "operations.db").exists()
    assert store.revision() == NEWEST
    store.close()


def test_on_a_server_it_is_set_up_there_and_there_only(postgres: Cluster, tmp_path: Path) -> None:
    database = postgres.new_database()
    store = open_operations(on(postgres, database, tmp_path))
    assert store.revision() == NEWEST
    assert not (tmp_path / "core" / "operations.db").exists()
    store.close()
    postgres.drop(database)


def test_a_second_gateway_on_one_database_is_refused_wherever_its_folder_is(
    postgres: Cluster, postgres_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cases.store.postgres_server.LOCK_SECONDS", 0.2)
    first = open_operations(on(postgres, postgres_database, tmp_path / "one"))
    with pytest.raises(CannotRun, match=r"advisory lock .* Stop that gateway first"):
        open_operations(on(postgres, postgres_database, tmp_path / "two"))
    first.close()
    open_operations(on(postgres, postgres_database, tmp_path / "two")).close()


def test_an_empty_database_beside_a_file_in_use_is_refused(postgres: Cluster, tmp_path: Path) -> None:
    database = postgres.new_database()
    open_operations(config(tmp_path)).close()
    elsewhere = on(postgres, database, tmp_path)
    with pytest.raises(CannotRun, match="gridwarden operations copy"):
        open_operations(elsewhere)
    (tmp_path / "core" / "operations.db").rename(tmp_path / "old.db")
    open_operations(elsewhere).close()
    postgres.drop(database)


def test_a_server_that_is_away_is_told_with_its_address(tmp_path: Path) -> None:
    away = config(tmp_path, {"url": "postgresql://gw@127.0.0.1:1/g"})
    with pytest.raises(CannotRun, match=r"postgresql://gw@127\.0\.0\.1:1/g cannot be used: .*refused"):
        open_operations(away)


def test_a_newer_programs_database_is_refused(
    postgres: Cluster, postgres_database: str, tmp_path: Path
) -> None:
    postgres.run("UPDATE alembic_version SET version_num = '9999'", postgres_database)
    with pytest.raises(CannotRun, match="newer version"):
        open_operations(on(postgres, postgres_database, tmp_path))


def test_an_old_encoding_is_refused(postgres: Cluster, tmp_path: Path) -> None:
    postgres.run("CREATE DATABASE latin OWNER gridwarden TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    with pytest.raises(CannotRun, match="ENCODING 'UTF8'"):
        open_operations(on(postgres, "latin", tmp_path))
    postgres.drop("latin")


def test_least_rights_are_enough(postgres: Cluster, postgres_database: str, tmp_path: Path) -> None:
    rights = postgres.run(
        "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication FROM pg_roles"
        " WHERE rolname = 'gridwarden'"
    )
    assert rights == [(False, False, False, False)]
    store: OperationsStore = operations_store(on(postgres, postgres_database, tmp_path))
    store.migrate(revision="base")
    store.migrate()
    store.close()
