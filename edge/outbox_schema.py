"""The tables of ``outbox.db``, and the lock that keeps a second writer away.

Readers (``gridwarden audit``) open the file ``mode=ro``: `taken` and `batches` come from the same
commits, so one read transaction sees balanced books.

A new outbox begins to count at a random number (`readings.numbers`): whatever an earlier outbox of this
edge sent is done everywhere, and a number used twice would make its batch vanish as a repetition.
"""

import secrets
import sqlite3
from pathlib import Path
from typing import Final

from readings import Lane
from readings.numbers import LIFE_BITS, LIVES_BITS, base_of
from supervision.locks import InUse, Lock

FORMAT: Final = 2

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS lanes (          -- the last sequence number given out, and the last one stored
    lane TEXT PRIMARY KEY,
    base INTEGER NOT NULL,                  -- the first number given out is base + 1
    seq INTEGER NOT NULL,
    stored INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batches (        -- what JetStream has not (or not yet known to have) stored
    lane TEXT NOT NULL,
    seq INTEGER NOT NULL,
    payload BLOB NOT NULL,                  -- readings.wire
    samples INTEGER NOT NULL,
    created INTEGER NOT NULL,               -- ns since 1970 UTC
    PRIMARY KEY (lane, seq)
);
CREATE TABLE IF NOT EXISTS taken (          -- the edge's books: samples ever committed
    lane TEXT NOT NULL,
    source TEXT NOT NULL,
    samples INTEGER NOT NULL,
    PRIMARY KEY (lane, source)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS deliveries (     -- keys of broker messages (edge/deliveries.py), a row per commit
    id INTEGER PRIMARY KEY,
    connection TEXT NOT NULL,
    count INTEGER NOT NULL,
    keys BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS notes (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
"""


class OutboxUnavailable(Exception):
    """The outbox cannot be written now (disk full, read-only, broken). Keep everything, try again."""


class OutboxReplaced(Exception):
    """The file is not the one that this process began with, or an older state of it. Start anew."""


class OutboxInUse(Exception):
    """Another process writes this outbox. Stop: two writers would give out the same numbers."""


def lock(path: Path) -> Lock:
    """Take the writer's lock beside `path`. Raises `OutboxInUse`, `OutboxUnavailable`."""
    try:
        return Lock(path.with_suffix(".lock"))
    except OSError as error:
        raise OutboxUnavailable(f"{path}: {error.strerror or error}") from error
    except InUse as error:
        raise OutboxInUse(
            f"{path} is being written by another edge agent (process {error.process})"
        ) from error


def new_base() -> int:
    """Where a new outbox begins to count."""
    return base_of(secrets.randbits(LIVES_BITS + LIFE_BITS - 1))


def connect(path: Path, edge: str, base: int | None = None) -> sqlite3.Connection:
    """A writing connection to the outbox of `edge`, its tables made where they are missing.

    A new outbox counts from `base` + 1, by default a random number per lane.
    Raises `sqlite3.Error`, and `OutboxUnavailable` for a file of another edge or format.
    """
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA cache_size = -512")  # kB; the books of thousands of devices fit
        connection.execute("PRAGMA journal_size_limit = 16777216")
        connection.execute("BEGIN IMMEDIATE")
        for statement in _TABLES.split(";\n"):
            connection.execute(statement)
        _claim(connection, path, {"format": str(FORMAT), "edge": edge})
        for lane in Lane:
            first = new_base() if base is None else base
            connection.execute("INSERT OR IGNORE INTO lanes VALUES (?1, ?2, ?2, ?2)", (lane.value, first))
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def _claim(connection: sqlite3.Connection, path: Path, claims: dict[str, str]) -> None:
    for key, value in claims.items():
        connection.execute("INSERT OR IGNORE INTO notes VALUES (?, ?)", (key, value))
        (found,) = connection.execute("SELECT value FROM notes WHERE key = ?", (key,)).fetchone()
        if found != value:
            raise OutboxUnavailable(f"{path}: its {key} is {found!r}, not {value!r}")
