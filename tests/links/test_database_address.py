"""Addresses of PostgreSQL databases: what they say, what is refused, and that no password is ever shown."""

from pathlib import Path

import pytest

from cases.store import OperationsStore
from links.database_address import BadAddress, Login, ServerAddress

FILE = Path("/secrets/operations")


@pytest.mark.parametrize(
    ("url", "address", "shown"),
    [
        ("postgresql://gw@db.example.org/gridwarden", ("gw", "db.example.org", 5432, "gridwarden"),
         "postgresql://gw@db.example.org:5432/gridwarden"),
        ("postgres://gw@[fd00::5]:5433/g", ("gw", "fd00::5", 5433, "g"), "postgresql://gw@[fd00::5]:5433/g"),
        ("postgresql://a%40b@127.0.0.1/my%20db", ("a@b", "127.0.0.1", 5432, "my db"),
         "postgresql://a%40b@127.0.0.1:5432/my%20db"),
        ("postgresql://gw@/g?host=/run/postgresql", ("gw", "/run/postgresql", 5432, "g"),
         "postgresql://gw@/g?host=/run/postgresql"),
        ("postgresql://gw@:5433/g?host=/run/postgresql", ("gw", "/run/postgresql", 5433, "g"),
         "postgresql://gw@:5433/g?host=/run/postgresql"),
    ],
)  # fmt: skip
def test_an_address_says_who_where_and_which(
    url: str, address: tuple[str, str, int, str], shown: str
) -> None:
    parsed = ServerAddress.parse(url)
    assert (parsed.user, parsed.host, parsed.port, parsed.database) == address
    assert str(parsed) == shown
    assert ServerAddress.parse(shown) == parsed


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("mysql://gw@localhost/g", "must be postgresql://"),
        ("postgresql+psycopg://gw@localhost/g", "must be postgresql://"),
        ("postgresql://localhost/g", "must be postgresql://"),
        ("postgresql://gw@localhost", "must be postgresql://"),
        ("postgresql://gw@localhost/g/h", "must be postgresql://"),
        ("postgresql://gw@/g", "must be postgresql://"),
        ("postgresql://gw@localhost:port/g", "must be postgresql://"),
        ("postgresql://gw@one,two/g", "must be postgresql://"),
        ("postgresql://gw@/g?host=run", "must be postgresql://"),
        ("postgresql://gw@/g?host=/a,/b", "must be postgresql://"),
        ("postgresql://gw@db/g?host=/run", "must be postgresql://"),
        ("postgresql://gw@:0/g?host=/run", "must be postgresql://"),
        ("postgresql://gw@localhost/g#x", "must be postgresql://"),
        ("postgresql://gw@localhost/%00", "must be postgresql://"),
        ("postgresql://gw@localhost/g?sslmode=disable", "`sslmode` does not belong"),
        ("postgresql://gw@localhost/g?hunter2", "must be postgresql://"),
        ("postgresql://gw:hunter2@localhost/g", "password does not belong"),
        ("postgresql://gw:@localhost/g", "password does not belong"),
        ("postgresql://gw@localhost/g?password=hunter2", "password does not belong"),
        ("postgresql://gw:hunter2/@localhost/g", "must be postgresql://"),
    ],
)
def test_what_is_no_address_is_refused_and_no_password_is_shown(url: str, why: str) -> None:
    with pytest.raises(BadAddress, match=why) as refused:
        OperationsStore(url)
    assert "hunter2" not in f"{refused.value!r}"


@pytest.mark.parametrize(
    ("url", "login", "why"),
    [
        ("postgresql://gw@db.example.org/g", Login(), "in clear text"),
        ("postgresql://gw@192.168.1.5/g", Login(FILE), "in clear text"),
        ("postgresql://gw@db.example.org/g", Login(None, FILE), "needs a password"),
    ],
)
def test_what_leaves_the_machine_is_encrypted_and_needs_a_password(url: str, login: Login, why: str) -> None:
    with pytest.raises(BadAddress, match=why):
        OperationsStore(url, login)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_on_this_machine_neither_is_asked_for(host: str) -> None:
    assert ServerAddress.parse(f"postgresql://gw@{host}/g").objection(None, None) is None
    assert ServerAddress.parse("postgresql://gw@/g?host=/run/postgresql").objection(None, None) is None


def test_far_away_the_certificate_is_verified_against_the_name() -> None:
    from cases.store.postgres_server import PostgresServer

    way = PostgresServer("postgresql://gw@db.example.org/g", Login(FILE, FILE))._way()
    assert (way["sslmode"], way["sslrootcert"], way["gssencmode"]) == ("verify-full", str(FILE), "disable")
