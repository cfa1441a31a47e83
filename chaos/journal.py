"""What a sender said, and what of it was acknowledged: written down before and after, value by value.

A journal is a SQLite file that survives a kill -9 of its sender (it need not survive a power cut: the machine
that the sender stands for is not the one that fails). A message is written down before its first byte leaves,
and again when the receiver has acknowledged it. So every stored value was said, every acknowledged value must
be stored, and what was said and never acknowledged may be either.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, Self

from readings import Lane, Scalar

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS series (id INTEGER PRIMARY KEY, edge TEXT NOT NULL, source TEXT NOT NULL,
    native TEXT NOT NULL, device TEXT NOT NULL, point TEXT NOT NULL, lane TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS said (message INTEGER NOT NULL, series INTEGER NOT NULL, time INTEGER NOT NULL,
    value);
CREATE INDEX IF NOT EXISTS said_message ON said (message);
CREATE TABLE IF NOT EXISTS again (message INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS heard (message INTEGER PRIMARY KEY);
"""


@dataclass(frozen=True, slots=True)
class Series:
    """One point of one device: its native address and what it is called once normalised."""

    edge: str
    source: str
    native: str
    device: str
    point: str
    lane: Lane


class Said(NamedTuple):
    """One value of a message."""

    series: int
    """Index in the journal's series."""
    time: int
    """The device's own time (ns since 1970 UTC), 0 when the message carries none."""
    value: Scalar


class Journal:
    """A sender's journal. One writer; opened again after a kill it goes on."""

    def __init__(self, path: Path, series: Sequence[Series]) -> None:
        """`series` must be the same whenever the journal is opened."""
        self.path = path
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = OFF")
        for statement in _TABLES.split(";\n"):
            self._connection.execute(statement)
        rows = [
            (number, s.edge, s.source, s.native, s.device, s.point, s.lane.value)
            for number, s in enumerate(series)
        ]
        self._connection.executemany("INSERT OR IGNORE INTO series VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        (last,) = self._connection.execute("SELECT max(message) FROM said").fetchone()
        self.next = 0 if last is None else int(last) + 1
        """The number of the next new message."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def say(self, messages: Mapping[int, Sequence[Said]]) -> None:
        """These new messages, by number, are about to be sent."""
        self._connection.execute("BEGIN")
        self._connection.executemany(
            "INSERT INTO said VALUES (?, ?, ?, ?)",
            ((number, *said) for number, values in messages.items() for said in values),
        )
        self._connection.execute("COMMIT")
        self.next = max(self.next, *(number + 1 for number in messages))

    def say_again(self, messages: Iterable[int]) -> None:
        """These messages are about to be sent once more."""
        self._connection.execute("BEGIN")
        self._connection.executemany("INSERT INTO again VALUES (?)", ((number,) for number in messages))
        self._connection.execute("COMMIT")

    def hear(self, messages: Iterable[int]) -> None:
        """The receiver has acknowledged these messages."""
        self._connection.execute("BEGIN")
        self._connection.executemany("INSERT OR IGNORE INTO heard VALUES (?)", ((n,) for n in messages))
        self._connection.execute("COMMIT")

    def unheard(self) -> dict[int, list[Said]]:
        """Messages that were said and never acknowledged, oldest first."""
        found: dict[int, list[Said]] = {}
        for message, *said in self._connection.execute(
            "SELECT message, series, time, value FROM said"
            " WHERE message NOT IN (SELECT message FROM heard) ORDER BY message, rowid"
        ):
            found.setdefault(message, []).append(Said(*said))
        return found

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


class Mark(NamedTuple):
    """The newest acknowledged value of a lane: once it is stored, so is everything before it."""

    device: str
    point: str
    time: int
    value: Scalar


def newest_heard(path: Path) -> list[Mark]:
    """The last acknowledged value of every edge and lane in the journal at `path`; none while it is young."""
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=2)
    except sqlite3.OperationalError:
        return []
    try:
        rows = connection.execute(
            "SELECT device, point, time, value, max(heard.message) FROM heard"
            " JOIN said ON said.message = heard.message JOIN series ON series.id = said.series"
            " WHERE heard.message > (SELECT max(message) FROM heard) - 5000 GROUP BY edge, lane"
        ).fetchall()
    except sqlite3.OperationalError:
        return []
    finally:
        connection.close()
    return [Mark(*row[:4]) for row in rows]
