"""The tables of ``outbox.db``, and the lock that keeps a second writer away.

Readers (``gridwarden audit``) open the file ``mode=ro``: `taken` and `batches` come from the same
commits, so one read transaction sees balanced books.

Every row of `batches` has a *place* in the order of its lane; a number for the way to the core it gets
either with its commit or, when others wait before it, shortly before it is sent (docs/decisions/0007).
A new outbox begins to count at a random number (`readings.numbers`): whatever an earlier outbox of this
edge sent is done everywhere, and a number used twice would make its batch vanish as a repetition.
"""

import errno
import secrets
import sqlite3
import zlib
from pathlib import Path
from typing import Final

from readings import Lane
from readings.numbers import LIFE_BITS, LIVES_BITS, base_of
from supervision.locks import InUse, Lock

FORMAT: Final = 5
_LASTING: Final = (errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.ENOENT, errno.ELOOP)

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS lanes (
    lane TEXT PRIMARY KEY,
    base INTEGER NOT NULL,                  -- the first number given out is base + 1
    seq INTEGER NOT NULL,                   -- the last number given out
    numbered INTEGER NOT NULL,              -- up to this place every row belongs to a number
    stored INTEGER NOT NULL,                -- up to this place JetStream has everything
    sent INTEGER NOT NULL DEFAULT 0         -- samples that were deleted because JetStream has them
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batches (        -- what JetStream has not (or not yet known to have) stored
    lane TEXT NOT NULL,
    place INTEGER NOT NULL,                 -- its place in the lane's order
    seq INTEGER,                            -- its number; null: see packs, or none yet
    samples INTEGER NOT NULL,
    created INTEGER NOT NULL,               -- ns since 1970 UTC
    checksum INTEGER NOT NULL,              -- CRC-32 of the payload
    level INTEGER NOT NULL DEFAULT 0,       -- how often it has been thinned
    payload BLOB NOT NULL,                  -- readings.wire
    boot TEXT,                              -- boot of the machine whose uptime its times are (edge/dating.py)
    PRIMARY KEY (lane, place)
);
CREATE TABLE IF NOT EXISTS packs (          -- rows that are sent together as one batch
    lane TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,                  -- places, both included
    seq INTEGER NOT NULL,
    checksum INTEGER,                       -- CRC-32 of the batch as it was sent
    PRIMARY KEY (lane, first)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS taken (          -- the edge's books: samples ever committed
    lane TEXT NOT NULL,
    source TEXT NOT NULL,
    samples INTEGER NOT NULL,
    thinned INTEGER NOT NULL DEFAULT 0,     -- of these, left out because the outbox was nearly full
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


class OutboxUnusable(OutboxUnavailable):
    """It will not get better by itself: another edge's file, a folder that is none. Stop and say so."""


class OutboxReplaced(Exception):
    """The file is not the one that this process began with, or an older state of it. Start anew."""


class OutboxInUse(Exception):
    """Another process writes this outbox. Stop: two writers would give out the same numbers."""


def lock(path: Path) -> Lock:
    """Take the writer's lock beside `path`. Raises `OutboxInUse`, `OutboxUnusable`, `OutboxUnavailable`."""
    try:
        return Lock(path.with_suffix(".lock"))
    except InUse as error:
        raise OutboxInUse(
            f"{path} is being written by another edge agent (process {error.process})"
        ) from None
    except OSError as error:
        kind = OutboxUnusable if error.errno in _LASTING else OutboxUnavailable
        raise kind(f"{path}: {error.strerror or error}") from error


def new_base() -> int:
    """Where a new outbox begins to count."""
    return base_of(secrets.randbits(LIVES_BITS + LIFE_BITS - 1))


def connect(path: Path, edge: str, base: int | None = None) -> sqlite3.Connection:
    """A writing connection to the outbox of `edge`, its tables made where they are missing.

    A new outbox counts from `base` + 1, by default a random number per lane; its places begin there too.
    Raises `sqlite3.Error`, and `OutboxUnusable` for a file of another edge or format.
    """
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA cache_size = -512")  # kB; the books of thousands of devices fit
        connection.execute("PRAGMA journal_size_limit = 16777216")
        connection.execute("BEGIN IMMEDIATE")
        before = _upgrade(connection)
        for statement in _TABLES.split(";\n"):
            connection.execute(statement)
        for statement in before:
            connection.execute(statement)
        _claim(connection, path, {"format": str(FORMAT), "edge": edge})
        for lane in Lane:
            first = new_base() if base is None else base
            connection.execute(
                "INSERT OR IGNORE INTO lanes VALUES (?1, ?2, ?2, ?2, ?2, 0)", (lane.value, first)
            )
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def template() -> bytes:
    """The first page of a new outbox: where which table begins."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        for statement in _TABLES.split(";\n"):
            connection.execute(statement)
        content = connection.serialize()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        return content[:size]
    finally:
        connection.close()


def _upgrade(connection: sqlite3.Connection) -> list[str]:
    """Bring an earlier format up to date; what is still to do once every table is there."""
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'notes'").fetchone():
        return []
    found = connection.execute("SELECT value FROM notes WHERE key = 'format'").fetchone()
    if found not in (("2",), ("3",), ("4",)):
        return []
    connection.execute("UPDATE notes SET value = ? WHERE key = 'format'", (str(FORMAT),))
    if found == ("3",):
        connection.execute("ALTER TABLE packs ADD COLUMN checksum INTEGER")
    if found != ("2",):
        connection.execute("ALTER TABLE batches ADD COLUMN boot TEXT")
        return []
    connection.create_function("crc32", 1, zlib.crc32, deterministic=True)
    for table in ("lanes", "batches"):
        connection.execute(f"ALTER TABLE {table} RENAME TO {table}_2")
    connection.execute("ALTER TABLE taken ADD COLUMN thinned INTEGER NOT NULL DEFAULT 0")
    columns = "lane, seq, seq, samples, created, crc32(payload), 0, payload, NULL"
    return [
        "INSERT INTO lanes SELECT lane, base, seq, seq, stored, 0 FROM lanes_2",
        f"INSERT INTO batches SELECT {columns} FROM batches_2",  # noqa: S608 - a constant
        "DROP TABLE lanes_2",
        "DROP TABLE batches_2",
    ]


def _claim(connection: sqlite3.Connection, path: Path, claims: dict[str, str]) -> None:
    for key, value in claims.items():
        connection.execute("INSERT OR IGNORE INTO notes VALUES (?, ?)", (key, value))
        (found,) = connection.execute("SELECT value FROM notes WHERE key = ?", (key,)).fetchone()
        if found != value:
            raise OutboxUnusable(f"{path}: its {key} is {found!r}, not {value!r}")
