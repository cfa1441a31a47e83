"""Who had what done with the quarantine, when, and what came of it.

Every stage keeps the acts on its own entries in its own file, in the transactions that carry them out: so
the record can never say more or less than what happened. An act on several stages has the same id in each;
`Outcome.plus` adds them up.
"""

import sqlite3
from collections.abc import Iterable
from typing import Any, Final, Literal

import msgspec

from ingest.quarantine import Selection

ActKind = Literal["retry", "drop", "expire"]
"""``expire``: dropped by the limits of age and size, not by a person."""
ActState = Literal["waiting", "running", "done", "stopped"]
"""``stopped``: it did not come to its end; `Outcome.problem` says why. What it had done stays done."""

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS acts (id TEXT PRIMARY KEY, act TEXT NOT NULL, outcome TEXT NOT NULL)
"""
_KEPT: Final = 1_000
"""The newest acts that a file keeps."""
INTERRUPTED: Final = "interrupted"
"""The `Outcome.problem` of an act whose process ended."""


class Act(msgspec.Struct, frozen=True):
    """What `actor` (a person of the site; empty: nobody) wants done; `at` in ns since 1970 UTC.

    Ids are in the order of time.
    """

    id: str
    kind: ActKind
    at: int
    actor: str
    note: str
    selection: Selection


class Outcome(msgspec.Struct, frozen=True):
    """How far an act is and what has come of it; entries and samples are numbers of them."""

    state: ActState = "waiting"
    entries: int = 0
    """Entries that the act is about …"""
    done: int = 0
    """… and so many of them are dealt with."""
    left: int = 0
    """Entries that were meant, but cannot be tried here at all."""
    passed: int = 0
    """Samples that became readings, or points that the store took."""
    duplicates: int = 0
    """Samples that were known already."""
    refused: int = 0
    """Samples that are still not usable and stay."""
    dropped: int = 0
    upto: int = 0
    """The last entry when the act was asked for: what came later is not meant."""
    ended: int = 0
    problem: str = ""

    def advanced(
        self, done: int, *, passed: int = 0, duplicates: int = 0, refused: int = 0, dropped: int = 0
    ) -> "Outcome":
        """After `done` entries more, of which so many samples had each end."""
        return msgspec.structs.replace(
            self,
            done=self.done + done,
            passed=self.passed + passed,
            duplicates=self.duplicates + duplicates,
            refused=self.refused + refused,
            dropped=self.dropped + dropped,
        )

    def plus(self, other: "Outcome") -> "Outcome":
        """Both together: the outcome of one act on two stages."""
        states = {self.state, other.state}
        open_: ActState = "waiting" if states == {"waiting"} else "running"
        ended: ActState = "stopped" if "stopped" in states else "done"
        return Outcome(
            state=open_ if states & {"waiting", "running"} else ended,
            entries=self.entries + other.entries,
            done=self.done + other.done,
            left=self.left + other.left,
            passed=self.passed + other.passed,
            duplicates=self.duplicates + other.duplicates,
            refused=self.refused + other.refused,
            dropped=self.dropped + other.dropped,
            ended=max(self.ended, other.ended),
            problem=self.problem or other.problem,
        )


_encode = msgspec.json.encode
_act = msgspec.json.Decoder(Act).decode
_outcome = msgspec.json.Decoder(Outcome).decode


def prepare(connection: sqlite3.Connection) -> None:
    """Make the table; acts that a process before this one began and did not end are interrupted."""
    connection.execute(_TABLE)
    for act, outcome in read(connection):
        if outcome.state in ("waiting", "running"):
            write(connection, act, msgspec.structs.replace(outcome, state="stopped", problem=INTERRUPTED))


def write(connection: sqlite3.Connection, act: Act, outcome: Outcome) -> None:
    """Note an act as it is now, inside the caller's transaction."""
    made = connection.execute(
        "INSERT INTO acts VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET outcome = excluded.outcome",
        (act.id, _encode(act).decode(), _encode(outcome).decode()),
    )
    if made.rowcount:
        connection.execute(
            "DELETE FROM acts WHERE id <= (SELECT id FROM acts ORDER BY id DESC LIMIT 1 OFFSET ?)", (_KEPT,)
        )


def read(
    connection: sqlite3.Connection, *, limit: int = _KEPT, one: str | None = None
) -> list[tuple[Act, Outcome]]:
    """The newest acts, or the `one` with this id, newest first."""
    where, values = ("WHERE id = ?", [one]) if one is not None else ("", [])
    rows: Iterable[tuple[Any, Any]] = connection.execute(
        f"SELECT act, outcome FROM acts {where} ORDER BY id DESC LIMIT ?",  # noqa: S608
        (*values, limit),
    )
    return [(_act(act), _outcome(outcome)) for act, outcome in rows]


def merge(found: Iterable[tuple[Act, Outcome]]) -> list[tuple[Act, Outcome]]:
    """Acts of several stages as people see them: each once, newest first."""
    acts: dict[str, tuple[Act, Outcome]] = {}
    for act, outcome in found:
        known = acts.get(act.id)
        acts[act.id] = (act, outcome if known is None else known[1].plus(outcome))
    return sorted(acts.values(), key=lambda one: one[0].id, reverse=True)
