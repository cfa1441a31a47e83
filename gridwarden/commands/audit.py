"""``gridwarden audit``: the books of every stage, compared."""

import asyncio
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import nats.errors
from rich.console import Console
from rich.table import Table

from gateway.config import GatewayConfig
from gridwarden.commands.check import complain_about
from gridwarden.console_text import complain, say, stop, tell, translate
from gridwarden.installation import Installation, configured_by, installed_in
from ingest.audit import Books, audit, balance
from ingest.bus import BusUnavailable
from ingest.database import StoreUnavailable
from ingest.opening import connect
from registry.problems import InvalidConfiguration

WIDTH: Final = 150
"""Columns where the output is no terminal."""

WATCH_SECONDS: Final = 2.0
PATIENCE_SECONDS: Final = 3.0
COLUMNS: Final = (
    "taken", "waiting", "in_stream", "stored", "expired", "quarantined", "dropped", "duplicates",
    "thinned", "lost", "difference",
)  # fmt: skip


def run(data: Path, config: Path | None, *, watch: bool, as_json: bool, rows: int) -> int:
    """Compare once or again and again; the exit code is 1 when the books do not balance."""
    if config is None and not (data / "gateway").exists():
        stop(tell("{folder} holds no gateway's data: name the folder with --data.", folder=data))
    try:
        found = configured_by(config) if config is not None else _in(data)
    except InvalidConfiguration as error:
        for problem in error.problems:
            complain_about(problem)
        raise SystemExit(2) from error
    while True:
        try:
            books = asyncio.run(_look(found.config)) if found is not None else _concluded(data)
        except StoreUnavailable as error:
            stop(str(error), code=1)
        if as_json:
            say(json.dumps(_as_json(books, rows), ensure_ascii=False))
        else:
            _show(books, rows)
        if not watch:
            return int(not books.balanced)
        time.sleep(WATCH_SECONDS)


def _in(data: Path) -> Installation | None:
    """The installation of a ``gridwarden up`` in `data`; None where only its data is left."""
    return installed_in(data) if (data / "run" / "gateway.yaml").exists() else None


async def _look(config: GatewayConfig) -> Books:
    """With the streams' contents where the bus answers, else from the files."""
    try:
        async with await connect(config.bus, "audit", PATIENCE_SECONDS) as bus:
            return await audit(bus.jetstream, config.data, config.edges)
    except (BusUnavailable, nats.errors.Error, OSError) as error:
        complain(tell("the message bus does not answer; its content is concluded ({reason})", reason=error))
    return await asyncio.to_thread(balance, config.data, config.edges)


def _concluded(data: Path) -> Books:
    return balance(data / "gateway", data / "edges")


def _sums(books: Books) -> dict[str, int]:
    return {column: sum(getattr(row, column) for row in books.rows) for column in COLUMNS}


def _as_json(books: Books, rows: int) -> dict[str, Any]:
    doubt = books.first_difference
    ordered = sorted(books.rows, key=lambda row: (row.difference == 0, row.edge, row.lane, row.source))
    return {
        "balanced": books.balanced,
        "proved": books.proved,
        **_sums(books),
        "first_difference": translate(doubt) if doubt is not None else None,
        "losses": [translate(loss.message(_moment)) for loss in books.losses],
        "rows": [
            {
                "edge": row.edge,
                "lane": row.lane.value,
                "source": row.source,
                "stage": row.stage,
                **{column: getattr(row, column) for column in COLUMNS},
            }
            for row in ordered[:rows]
        ],
    }


def _show(books: Books, rows: int) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1))
    heads = (
        tell("edge"), tell("lane"), tell("device"), tell("taken"), tell("waiting"), tell("in stream"),
        tell("stored"), tell("expired"), tell("quarantined"), tell("dropped"), tell("duplicates"),
        tell("thinned"), tell("lost"), tell("difference"),
    )  # fmt: skip
    for number, head in enumerate(heads):
        table.add_column(head, justify="left" if number < 3 else "right", no_wrap=number < 1, overflow="fold")
    lanes: dict[tuple[str, str], list[int]] = {}
    for row in books.rows:
        sums = lanes.setdefault((row.edge, row.lane.value), [0] * len(COLUMNS))
        for number, column in enumerate(COLUMNS):
            sums[number] += getattr(row, column)
    for (edge, lane), sums in sorted(lanes.items()):
        table.add_row(edge, lane, tell("all"), *(f"{value:,}" for value in sums))
    for row in [row for row in books.rows if row.difference][:rows]:
        values = (f"{getattr(row, column):,}" for column in COLUMNS)
        table.add_row(row.edge, row.lane.value, row.device or row.source, *values, style="bold red")
    Console(width=None if sys.stdout.isatty() else WIDTH).print(table)
    for loss in books.losses:
        say(translate(loss.message(_moment)))
    doubt = books.first_difference
    if doubt is not None:
        say(translate(doubt))
    elif books.proved:
        say(
            tell(
                "The books balance: {taken} {taken|sample|samples}, each in exactly one place.",
                taken=f"{_sums(books)['taken']:,}",
            )
        )
    else:
        say(tell("The books balance, as far as they can be read without the message bus."))


def _moment(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
