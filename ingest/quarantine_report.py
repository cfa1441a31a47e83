"""The quarantine as people look at it: one line for each source, point and reason, over all stages."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ingest.database import StoreUnavailable, open_reader
from ingest.quarantine import Reason
from language import Message
from readings import Lane


@dataclass(frozen=True, slots=True)
class QuarantineGroup:
    """What came of one source and point and cannot be used for one reason.

    `count` are samples (for bytes that are no batch: messages), `detail`, `raw` and `lane` those of the
    latest entry; times in nanoseconds since 1970-01-01 UTC.
    """

    edge: str
    lane: Lane
    source: str
    point: str
    reason: Reason
    detail: Message
    raw: bytes
    count: int
    first: int
    last: int


def quarantine_groups(files: Sequence[Path], limit: int = 100) -> list[QuarantineGroup]:
    """What is in quarantine in the stages' `files`, latest first; a file that does not exist is empty.

    Raises `StoreUnavailable`.
    """
    groups: list[QuarantineGroup] = []
    for file in files:
        if file.exists():
            groups += _groups(file, limit)
    return sorted(groups, key=lambda group: -group.last)[:limit]


def _groups(file: Path, limit: int) -> list[QuarantineGroup]:
    try:
        with closing(open_reader(file)) as connection:
            # SQLite takes the other columns of a group from the row that has the maximum
            rows = connection.execute(
                "SELECT edge, lane, source, point, reason, detail, raw, sum(max(samples, 1)), min(first),"
                " last, max(id) FROM quarantine GROUP BY edge, source, point, reason"
                " ORDER BY max(id) DESC LIMIT ?",
                (limit,),
            ).fetchall()
    except sqlite3.Error as error:
        raise StoreUnavailable(f"{file}: {error}") from error
    return [
        QuarantineGroup(
            edge=edge, lane=Lane(lane), source=source, point=point, reason=Reason(reason),
            detail=Message(*json.loads(detail)), raw=raw, count=count, first=first, last=last,
        )
        for edge, lane, source, point, reason, detail, raw, count, first, last, _ in rows
    ]  # fmt: skip
