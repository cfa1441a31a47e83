"""Alarms and cases on a server are in a backup like any others, and go back into a server or a file."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cases.desk import Desk
from cases.store import OperationsStore
from gateway.operations import operations_store
from gridwarden.backup.archive import Archive
from gridwarden.backup.places import Target
from gridwarden.backup.restoring import CannotRestore, restore
from gridwarden.backup.taking import take
from ingest.bus import Bus
from tests.backup.conftest import Core
from tests.cases.conftest import Story, community, starter_rules
from tests.postgres import NEWEST, Cluster


def keep_on_server(core: Core, cluster: Cluster, database: str) -> None:
    """Name a database on a server in the configuration."""
    document = yaml.safe_load(core.config.read_text())
    document["operations"] = {
        "url": cluster.url(database), "password_file": str(cluster.login.password_file),
    }  # fmt: skip
    core.config.write_text(yaml.safe_dump(document))


@pytest.fixture
def story(here: Core, postgres: Cluster, postgres_database: str) -> Iterator[Story]:
    """A case on a server, and its gateway goes on."""
    keep_on_server(here, postgres, postgres_database)
    store = operations_store(here.installation.config)
    story = Story(community(), Desk(community(), starter_rules()), store)
    story.raised("s1")
    yield story
    store.close()


async def backed_up(here: Core, target: Path) -> Archive:
    async with await Bus.connect(here.server.url) as bus:
        await bus.ensure_streams()
    await asyncio.to_thread(lambda: asyncio.run(take(here.installation, target, with_secrets=False)))
    archive = Archive(target)
    archive.verify()
    return archive


def alarms(store: OperationsStore) -> list[str]:
    with store.reading() as books:
        assert all(books.broken_history(case.id) is None for case in books.cases().items)
        return sorted(alarm.id for alarm in books.alarms().items)


async def test_from_a_server_to_a_file(here: Core, there: Core, story: Story, tmp_path: Path) -> None:
    archive = await backed_up(here, tmp_path / "backup.tar.gz")
    assert archive.manifest.schema == NEWEST
    assert "core/operations.db" in [file.path for file in archive.manifest.files]
    story.raised("s3")  # the gateway goes on, and is not in the way
    await restore(archive, Target.of_config(there.config), force=False)
    store = operations_store(there.installation.config)
    assert alarms(store) == ["smoke:s1#1"]
    with store.transaction() as tx:
        assert tx.next_number("change") > 100_000_000
    store.close()


async def test_from_a_server_to_another(
    here: Core, there: Core, story: Story, postgres: Cluster, tmp_path: Path
) -> None:
    archive = await backed_up(here, tmp_path / "backup")
    database = postgres.new_database()
    keep_on_server(there, postgres, database)
    await restore(archive, Target.of_config(there.config), force=False)
    assert not (there.data / "operations.db").exists()
    assert (there.folder / "site" / "site.yaml").exists()
    story.store.close()
    story.store = operations_store(there.installation.config)
    assert alarms(story.store) == ["smoke:s1#1"]
    story.raised("s3")
    assert alarms(story.store) == ["smoke:s1#1", "smoke:s3#1"]
    story.store.close()
    with pytest.raises(CannotRestore, match="holds alarms or cases already"):
        await restore(archive, Target.of_config(there.config), force=True)
    assert not [path for path in there.folder.rglob("*") if "restoring" in path.name or "before" in path.name]
    postgres.drop(database)


async def test_a_gateway_elsewhere_that_writes_the_target_is_in_the_way(
    here: Core,
    there: Core,
    story: Story,
    postgres: Cluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cases.store.postgres_server.LOCK_SECONDS", 0.2)
    archive = await backed_up(here, tmp_path / "backup")
    database = postgres.new_database()
    keep_on_server(there, postgres, database)
    other = postgres.store(database)
    other.migrate()
    with pytest.raises(CannotRestore, match="advisory lock"):
        await restore(archive, Target.of_config(there.config), force=False)
    other.close()
    await restore(archive, Target.of_config(there.config), force=False)
    postgres.drop(database)


async def test_a_server_that_was_never_set_up_is_no_obstacle(
    here: Core, postgres: Cluster, tmp_path: Path
) -> None:
    database = postgres.new_database()
    keep_on_server(here, postgres, database)
    archive = await backed_up(here, tmp_path / "backup")
    assert archive.manifest.schema == ""
    postgres.drop(database)
