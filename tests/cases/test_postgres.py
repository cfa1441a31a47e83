"""What only a server can do to the operations database: be away, be somebody else's, be far away."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace
from sqlalchemy import text

from cases.alarms import Alarm
from cases.states import Act
from cases.store import (
    AlarmFilter,
    CommitInDoubt,
    DatabaseInUse,
    OperationsStore,
    StoreUnavailable,
    WrittenElsewhere,
)
from cases.store.postgres_server import WRITER_LOCK
from cases.store.schema import METADATA
from links.database_address import Login
from links.secret_files import write_secret
from rules.findings import Severity
from tests.cases.conftest import ByHand, Story
from tests.postgres import ADMIN, NEWEST, PASSWORD, USER, Cluster

pytestmark = pytest.mark.parametrize("store", ["postgres"], indirect=True)


@pytest.fixture
def mended(postgres: Cluster) -> Iterator[Cluster]:
    """The server; it runs again afterwards, whatever the test did to it."""
    yield postgres
    if postgres.process is None:
        postgres.start()


def shape(cluster: Cluster, database: str) -> list[tuple[Any, ...]]:
    """Columns and indexes of every table of ours."""
    return cluster.run(
        "SELECT table_name, column_name, data_type, collation_name, is_nullable"
        " FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name <> 'alembic_version' ORDER BY 1, 2",
        database,
    ) + cluster.run(
        "SELECT indexname, indexdef FROM pg_indexes"
        " WHERE schemaname = 'public' AND tablename <> 'alembic_version' ORDER BY 1",
        database,
    )


def test_a_fresh_database_gets_exactly_the_tables_that_the_program_knows(
    store: OperationsStore, postgres: Cluster
) -> None:
    declared = postgres.new_database()
    other = postgres.store(declared)
    with other.connection() as connection:
        METADATA.create_all(connection)
    other.close()
    assert shape(postgres, declared) == shape(postgres, str(store.url.database))
    postgres.drop(declared)


# --------------------------------------------------------------------------------- the same as SQLite


@pytest.mark.parametrize("locale", ["en-US", "zh"])
def test_pages_are_sorted_by_bytes_whatever_the_database_sorts_by(
    story: Story, postgres: Cluster, locale: str
) -> None:
    name = postgres.new_database(locale=locale)
    story.store = postgres.store(name)
    story.store.migrate()
    devices = ["b", "B", "a", "A", "_", "-", "é", "z", "门", "厂", "a-b", "ab", "a_b"]
    for device in devices:
        story.raised(device, severity=Severity.LOW, rule="quiet")
    seen: list[str] = []
    after: str | None = ""
    while after is not None:
        with story.store.reading() as books:
            page = books.alarms(AlarmFilter(), after, limit=2)
        seen += [alarm.id for alarm in page.items]
        after = page.next
    assert seen == sorted(f"quiet:{device}#1" for device in devices)
    story.store.close()
    postgres.drop(name)


def test_text_with_nul_is_kept_found_and_proved(story: Story) -> None:
    odd = "a\0b\ue000c\ue0000d\ue0001"
    labels = {**story.finding("s1").labels, "place": odd, "device": odd}
    (number,) = story.raised(odd, labels=labels, actor=odd, reason="\0").opened
    story.act(number, Act.ACCEPT, "g3", note=odd)
    with story.store.reading() as books:
        (alarm,) = books.alarms(AlarmFilter(place=odd)).items
        found = books.alarm(f"smoke:{odd}#1")
        assert books.alarms(AlarmFilter(device="a")).total == 0
        lines = books.history(number)
        assert books.broken_history(number) is None
    assert found is not None
    assert (alarm.device, alarm.labels["place"], found[1][0].reason) == (odd, odd, "\0")
    assert lines[-1].entry.note == odd


def test_numbers_have_sixty_four_bits(story: Story) -> None:
    large = 2**62
    story.report(replace(story.finding("s1", occurrence=large), version=large))
    with story.store.reading() as books:
        found = books.alarm(f"smoke:s1#{large}")
    assert found is not None
    assert isinstance(found[0], Alarm)
    assert (found[0].version, found[0].occurrence) == (large, large)


@pytest.mark.parametrize("table", ["history", "evidence"])
def test_history_and_evidence_cannot_be_emptied(story: Story, by_hand: ByHand, table: str) -> None:
    story.raised("s1")
    with pytest.raises(psycopg.IntegrityError, match="append-only"):
        by_hand(f"truncate {table}")


# ------------------------------------------------------------------------------------ the server goes


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_server_that_goes_and_comes_back_costs_nothing(story: Story, mended: Cluster, how: str) -> None:
    first = story.raised("s1").opened[0]

    def half_a_batch() -> None:
        with story.store.transaction() as tx:
            story.desk.report([story.finding("s3")], tx, story.now)
            getattr(mended, how)()
            tx.next_number("x")

    with pytest.raises(StoreUnavailable):
        half_a_batch()
    with pytest.raises(StoreUnavailable), story.store.reading():
        pass
    with pytest.raises(StoreUnavailable):
        story.raised("s3")
    mended.start()
    second = story.raised("s3").opened[0]
    assert (first, second) == ("BH-20261123-0001", "BH-20261123-0002")
    with story.store.reading() as books:
        assert books.alarms().total == 2


def test_a_server_that_restarts_between_two_transactions_is_not_noticed(
    story: Story, mended: Cluster
) -> None:
    story.raised("s1")
    with story.store.reading() as books:
        assert books.alarms().total == 1
    mended.stop()
    mended.start()
    with story.store.reading() as books:
        assert books.alarms().total == 1
    story.raised("s3")


def cut(story: Story, cluster: Cluster, *, before: bool) -> None:
    """The writer's connection goes once, just before the server commits or just after."""
    engine = story.store._writer
    commit = engine.dialect.do_commit

    def lost(connection: Any) -> None:
        engine.dialect.do_commit = commit  # type: ignore[method-assign]
        if not before:
            commit(connection)
        pid = connection.driver_connection.info.backend_pid
        cluster.run(f"SELECT pg_terminate_backend({pid}, 5000)")
        connection.driver_connection.execute("SELECT 1")

    engine.dialect.do_commit = lost  # type: ignore[method-assign]


def test_a_commit_whose_answer_was_lost_is_not_made_twice(story: Story, postgres: Cluster) -> None:
    story.raised("s3")
    cut(story, postgres, before=False)
    (number,) = story.raised("s1").opened
    assert story.acts(number) == ["raise", "dispatch"]
    with story.store.transaction() as tx:
        assert tx.next_number("case-20261123") == 3


def test_a_commit_that_never_arrived_is_to_be_tried_again(story: Story, postgres: Cluster) -> None:
    story.raised("s3")
    cut(story, postgres, before=True)
    with pytest.raises(StoreUnavailable):
        story.raised("s1")
    with story.store.reading() as books:
        assert books.alarms().total == 1
    assert story.raised("s1").opened == ("BH-20261123-0002",)


@pytest.mark.parametrize("made", [True, False])
def test_a_commit_that_cannot_be_asked_about_yet_is_in_doubt_until_it_can(
    story: Story, mended: Cluster, made: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cases.store.operations.DOUBT_SECONDS", 0.1)
    story.raised("s3")
    commit = story.store._writer.dialect.do_commit

    def lost(connection: Any) -> None:
        story.store._writer.dialect.do_commit = commit  # type: ignore[method-assign]
        if made:
            commit(connection)
        mended.kill()
        connection.driver_connection.execute("SELECT 1")

    story.store._writer.dialect.do_commit = lost  # type: ignore[method-assign]
    with pytest.raises(CommitInDoubt, match="went away in a commit") as doubt:
        story.raised("s1")
    with pytest.raises(StoreUnavailable):
        story.store.was_committed(doubt.value.ticket)
    mended.start()
    with story.store.transaction() as tx:  # whoever comes first
        tx.next_number("x")
    assert story.store.was_committed(doubt.value.ticket) is made
    with story.store.reading() as books:
        assert books.alarms().total == 1 + made


def test_a_standby_that_takes_no_writes_is_unavailable(story: Story, postgres: Cluster) -> None:
    story.raised("s1")
    database = story.store.url.database
    postgres.run(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    story.store.close()
    with pytest.raises(StoreUnavailable, match="read-only"):
        story.raised("s3")
    with story.store.reading() as books:
        assert books.alarms().total == 1


def test_a_reader_that_takes_too_long_is_given_up(
    story: Story, postgres: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cases.store.postgres_server.READ_SECONDS", 0)
    patient = postgres.store(str(story.store.url.database))
    with patient.snapshot() as connection:
        assert connection.execute(text("SHOW statement_timeout")).scalar() == "0"
    patient.close()
    with story.store.snapshot() as connection:
        assert connection.execute(text("SHOW statement_timeout")).scalar() == "30s"
        connection.execute(text("SET LOCAL statement_timeout = 50"))
        with pytest.raises(Exception, match="statement timeout") as given_up:
            connection.execute(text("SELECT pg_sleep(60)"))
    assert story.store.database.outage(given_up.value)


def test_a_reader_cannot_write(story: Story) -> None:
    with pytest.raises(StoreUnavailable, match="read-only"), story.store.snapshot() as connection:
        connection.execute(text("UPDATE counter SET value = 0"))


# ------------------------------------------------------------------------------------------ one writer


def test_a_second_writer_is_refused_and_told_who_is_in_the_way(
    story: Story, postgres: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.raised("s1")
    monkeypatch.setattr("cases.store.postgres_server.LOCK_SECONDS", 0.2)
    second = postgres.store(str(story.store.url.database))
    with pytest.raises(DatabaseInUse) as refused:
        second.migrate()
    said = str(refused.value)
    assert str(story.store.database) in said
    assert str(WRITER_LOCK) in said
    assert "from 127.0.0.1" in said
    with second.reading() as books:  # whoever only looks is welcome
        assert books.alarms().total == 1
    story.store.close()
    second.migrate()
    third = postgres.store(str(second.url.database))
    with pytest.raises(DatabaseInUse):
        third.migrate()
    second.close()


def test_who_lost_the_lock_to_another_does_not_write(
    story: Story, postgres: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cases.store.postgres_server.LOCK_SECONDS", 0.2)
    database = str(story.store.url.database)
    first = postgres.store(database)
    with first.transaction() as tx:
        tx.next_number("x")
    postgres.run(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{database}'")
    second = postgres.store(database)
    with second.transaction() as tx:
        tx.next_number("x")
    with pytest.raises(DatabaseInUse), first.transaction() as tx:
        tx.next_number("x")
    second.close()
    for _ in range(2):  # what it has in memory is out of date: it has to begin anew
        with pytest.raises(WrittenElsewhere), first.transaction() as tx:
            tx.next_number("x")
    first.close()


def test_writers_of_one_store_share_its_connection(story: Story) -> None:
    counted: list[int] = []

    def count() -> None:
        for _ in range(20):
            with story.store.transaction() as tx:
                counted.append(tx.next_number("x"))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert counted == [*range(1, 81)]


# --------------------------------------------------------------------------------- login and the way there


def test_it_is_reached_through_a_socket_too(story: Story, postgres: Cluster) -> None:
    story.raised("s1")
    near = OperationsStore(postgres.socket_url(str(story.store.url.database)), postgres.login)
    with near.reading() as books:
        assert books.alarms().total == 1
    near.close()
    assert OperationsStore(str(near.database)).url == near.url


def test_a_changed_password_is_taken_from_its_file_at_the_next_connection(
    store: OperationsStore, postgres: Cluster, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    write_secret(file, "wrong-secret-word")
    other = OperationsStore(postgres.url(str(store.url.database)), Login(file))
    with pytest.raises(StoreUnavailable, match="authentication failed") as refused:
        other.revision()
    assert "wrong-secret-word" not in str(refused.value)
    write_secret(file, PASSWORD)
    assert other.revision() == NEWEST
    file.chmod(0o644)
    other.close()
    with pytest.raises(StoreUnavailable, match="chmod 600"):
        other.revision()


def test_the_password_is_in_no_error_and_no_name(
    story: Story, mended: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.raised("s1")
    store = story.store
    told = [repr(store.database), str(store.database), str(store.url), repr(store._writer), repr(store.url)]
    mended.stop()
    for attempt in (store.revision, store.migrate):
        with pytest.raises(StoreUnavailable) as refused:
            attempt()
        error: BaseException | None = refused.value
        while error is not None:
            told += [str(error), repr(error)]
            error = error.__cause__ or error.__context__
    for secret in ("o'brien", "pass", "%40", "口令"):
        assert not [text for text in told if secret in text]


def test_the_environment_changes_nothing(
    store: OperationsStore, postgres: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "PGHOST": "db.example.org", "PGHOSTADDR": "192.0.2.1", "PGPORT": "1", "PGUSER": ADMIN,
        "PGDATABASE": "postgres", "PGPASSWORD": "x", "PGSSLMODE": "require", "PGOPTIONS": "-c fsync=off",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    other = postgres.store(str(store.url.database))
    with other.snapshot() as connection:
        asked = connection.execute(text("SELECT current_user, current_database()")).one()
    other.close()
    assert tuple(asked) == (USER, store.url.database)


def test_a_server_of_another_authority_is_not_believed(
    store: OperationsStore, postgres: Cluster, tmp_path: Path
) -> None:
    authority = tmp_path / "authority.pem"
    authority.write_text(_certificate())
    strict = OperationsStore(str(store.database), Login(postgres.login.password_file, authority))
    with pytest.raises(StoreUnavailable, match=r"(?i)ssl"):
        strict.revision()
    strict.close()


def _certificate() -> str:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody")])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1))
    )  # fmt: skip
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
