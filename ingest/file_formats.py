"""Files of readings: the format is what the name ends in, and a file is there as a whole or not at all.

How each format looks is its own room's business (`ingest.transfer`, `ingest.parquet`).
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

from ingest.transfer import (
    BadFile,
    CsvFile,
    InfluxSink,
    LinesFile,
    Sink,
    Tell,
    opened,
    read_csv,
    read_lines,
    whole,
)
from language import N_, Message
from registry.site import Site


class Format(StrEnum):
    """How readings stand in a file, by what its name ends in."""

    LINES = ".lp"
    CSV = ".csv"
    PARQUET = ".parquet"


def format_of(file: Path) -> Format:
    """The format that the name asks for; raises `BadFile` when there is none, or Parquet and no pyarrow."""
    ending = file.suffix if file.suffix != ".gz" else Path(file.stem).suffix
    try:
        found = Format(ending)
    except ValueError:
        found = None
    if found is None or (found is Format.PARQUET and file.suffix == ".gz"):
        text = N_(
            "{file}: end its name in .lp (line protocol) or .csv, with .gz to compress it, or in .parquet."
        )
        raise BadFile(Message(text, {"file": file}))
    if found is Format.PARQUET:
        try:
            import pyarrow as pa  # noqa: F401
        except ModuleNotFoundError as error:
            text = N_(
                "{file}: Parquet needs the package pyarrow; add it in GridWarden's folder with: {command}"
            )
            command = "bash -c '. scripts/setup.sh; setup_parquet'"
            raise BadFile(Message(text, {"file": file, "command": command})) from error
    return found


@contextmanager
def sink_into(file: Path, site: Site) -> Iterator[Sink]:
    """Where readings for a new `file` go; it has its name when the context ends well. Raises what `format_of`
    raises, and OSError."""
    kind = format_of(file)
    if kind is Format.PARQUET:
        from ingest.parquet import parquet_sink

        with whole(file) as path, parquet_sink(path, file) as sink:
            yield sink
        return
    with opened(file, "w") as text:
        yield CsvFile(text) if kind is Format.CSV else LinesFile(text, site)


async def read_into(file: Path, sink: InfluxSink, tell: Tell = lambda _: None) -> int:
    """Give what a file holds to `sink`; how many readings (of line protocol: lines) it was.

    Raises what `format_of`, the format's reader and the sink raise, and OSError.
    """
    kind = format_of(file)
    parts: Iterator[Sequence[Any]]
    take: Callable[[Sequence[Any]], Awaitable[None]] = sink.take
    done = 0
    with ExitStack() as stack:
        if kind is Format.PARQUET:
            from ingest.parquet import read_parquet

            parts = read_parquet(file)
        elif kind is Format.CSV:
            parts = read_csv(stack.enter_context(opened(file, "r")), file)
        else:
            parts, take = read_lines(stack.enter_context(opened(file, "r"))), sink.take_lines
        for part in parts:
            await take(part)
            done += len(part)
            tell(done)
    return done
