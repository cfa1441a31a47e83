"""What a ledger knows of having been restored from a backup, and what is known lost by it.

Batches that an edge sent between the backup and the disaster are gone: JetStream had confirmed them, so the
edge has them no more. A restored ledger notes up to which number each outbox had been read. When the edge
goes on, with a later number, the numbers in between are the batches that are lost: an edge numbers without
gaps and sends in order.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ingest.database import open_writer, transaction
from ingest.sequences import Sequences
from language import N_, Message
from readings import Lane
from readings.numbers import life_of

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS restorations (id INTEGER PRIMARY KEY, backup INTEGER NOT NULL,
    restored INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS restored_upto (restoration INTEGER, edge TEXT, lane TEXT, life INTEGER,
    last INTEGER NOT NULL, PRIMARY KEY (restoration, edge, lane, life)) WITHOUT ROWID;
"""

Upto = Mapping[tuple[str, Lane, int], int]
"""The last number of each edge, lane and life that a backup holds."""


@dataclass(frozen=True, slots=True)
class Restored:
    """Up to where one lane of one outbox was read when the backup was taken; times in ns since 1970 UTC."""

    backup: int
    restored: int
    last: int

    def lost(self, known: Sequences) -> range:
        """The numbers that went down with what was restored, as far as `known` ones show it.

        The batch after `last` is either known or the first of those that are lost; those end where the
        edge, still alive, went on. Until it has, none are known.
        """
        life = life_of(self.last)
        following = [first for first, _ in known if first > self.last and life_of(first) == life]
        if not following or self.last + 1 in known:
            return range(0)
        return range(self.last + 1, min(following))


@dataclass(frozen=True, slots=True)
class Loss:
    """Batches known to be lost, for people."""

    edge: str
    lane: Lane
    first: int
    """The first number that is missing …"""
    batches: int
    """… of so many."""
    backup: int
    restored: int

    def message(self, moment: Callable[[int], str]) -> Message:
        """The loss as a sentence; `moment` writes a time."""
        return Message(
            N_(
                "{batches} batches of {edge} ({lane}) are lost with the core that was restored at {restored}:"
                " they had left the edge after the backup of {backup}"
            ),
            {
                "batches": self.batches,
                "edge": self.edge,
                "lane": self.lane.value,
                "restored": moment(self.restored),
                "backup": moment(self.backup),
            },
        )


def upto(done: Mapping[tuple[str, Lane], Sequences], more: Iterable[tuple[str, Lane, int]]) -> dict[
    tuple[str, Lane, int], int
]:  # fmt: skip
    """The last number of each outbox among the batches `done` and `more`."""
    last: dict[tuple[str, Lane, int], int] = {}
    numbers = [(edge, lane, high) for (edge, lane), ranges in done.items() for _, high in ranges]
    for edge, lane, seq in (*numbers, *more):
        key = (edge, lane, life_of(seq))
        last[key] = max(seq, last.get(key, 0))
    return last


def note_restoration(ledger: Path, backup: int, restored: int, last: Upto) -> None:
    """Write into a restored `ledger` when its backup was taken and up to where; nobody else may use it yet.

    Raises `ingest.database.StoreUnavailable`.
    """
    with closing(open_writer(ledger)) as connection, transaction(connection):
        for statement in _TABLES.split(";\n"):
            connection.execute(statement)
        number = connection.execute(
            "INSERT INTO restorations (backup, restored) VALUES (?, ?)", (backup, restored)
        ).lastrowid
        connection.executemany(
            "INSERT INTO restored_upto VALUES (?, ?, ?, ?, ?)",
            [(number, edge, lane.value, life, seq) for (edge, lane, life), seq in last.items()],
        )


def read_restorations(connection: sqlite3.Connection) -> dict[tuple[str, Lane], list[Restored]]:
    """By edge and lane, oldest first; nothing when the ledger was never restored."""
    found: dict[tuple[str, Lane], list[Restored]] = {}
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'restored_upto'").fetchone():
        return found
    for edge, lane, backup, restored, last in connection.execute(
        "SELECT edge, lane, backup, restored, last FROM restored_upto JOIN restorations"
        " ON restorations.id = restoration ORDER BY restorations.id"
    ):
        found.setdefault((edge, Lane(lane)), []).append(Restored(backup, restored, last))
    return found
