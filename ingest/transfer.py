"""Readings from one store into another, or into a file and back: series by series, page by page, while all
runs.

Everything can be done again: the same reading in the same place is the same point.
"""

import csv
import gzip
import math
import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import IO, Final, Protocol, TextIO, cast

from ingest.stores import ROWS, History, Row
from ingest.stores.influx_client import InfluxClient
from ingest.stores.influx_rollup import LEVELS, RollUp, runs
from ingest.stores.influx_sift import LineWriter
from ingest.stores.line_protocol import LineEncoder
from language import N_, Message
from readings import Reading, Scalar
from registry.site import Site

LINES: Final = 5_000
COLUMNS: Final = ("device", "point", "time_ns", "kind", "value", "quality", "received_ns", "event")
"""Of a CSV file; `kind` is float, bool, int or str."""

Tell = Callable[[int], None]
"""Told how many readings have been done."""


class BadFile(ValueError):
    """A file is not what it should be; `message` says where."""

    def __init__(self, message: Message) -> None:
        self.message = message
        super().__init__(str(message))


class Sink(Protocol):
    """Where readings go."""

    async def take(self, readings: Sequence[Reading]) -> None:
        """Keep them; may raise `StoreUnavailable` and OSError."""


@dataclass(frozen=True)
class Difference:
    """A series that two stores do not hold alike: the first time (ns) and how many rows differ."""

    device: str
    point: str
    time: int
    rows: int


async def pages(
    history: History, device: str, point: str, start: int, end: int
) -> AsyncIterator[Sequence[Row]]:
    """The rows of a series with ``start <= time < end``, some thousand at a time."""
    while True:
        found = await history.series(device, point, start, end, limit=ROWS)
        if found.rows:
            yield found.rows
        if not found.cut:
            return
        start = found.rows[-1].time + 1


async def copy(
    history: History,
    sink: Sink,
    series: Iterable[tuple[str, str]],
    start: int,
    end: int,
    tell: Tell = lambda _: None,
) -> int:
    """Give the readings of the series to `sink`; how many they were. Raises what both raise."""
    done = 0
    for device, point in series:
        async for rows in pages(history, device, point, start, end):
            await sink.take([_reading(device, point, row) for row in rows])
            done += len(rows)
            tell(done)
    return done


async def differences(
    one: History,
    other: History,
    series: Iterable[tuple[str, str]],
    start: int,
    end: int,
    tell: Tell = lambda _: None,
) -> AsyncIterator[Difference]:
    """Every series that the two stores do not hold alike, row by row: time, value, quality, occurrence."""
    done = 0
    for device, point in series:
        at, first, count = start, 0, 0
        while at < end:
            found = await one.series(device, point, at, end, limit=ROWS)
            upto = found.rows[-1].time + 1 if found.cut else end
            here = {row.time: _comparable(row) for row in found.rows}
            there = {
                row.time: _comparable(row)
                async for rows in pages(other, device, point, at, upto)
                for row in rows
            }
            differing = [time for time in here.keys() | there.keys() if here.get(time) != there.get(time)]
            if differing:
                first = first or min(differing)
                count += len(differing)
            done += len(here)
            tell(done)
            at = upto
        if count:
            yield Difference(device, point, first, count)


class InfluxSink:
    """Into an InfluxDB, roll-ups included; `refused` are lines that it will never take."""

    def __init__(self, client: InfluxClient, site: Site) -> None:
        self._writer = LineWriter(client, LINES)
        self._encoder = LineEncoder(site)
        self._rollup = RollUp(client, site)
        self._windows: set[int] = set()
        self.refused: list[str] = []

    async def take(self, readings: Sequence[Reading]) -> None:
        """See `Sink.take`."""
        await self.take_lines(self._encoder.lines(readings))

    async def take_lines(self, lines: Sequence[bytes]) -> None:
        """Write lines as they are."""
        self.refused += [lines[at].decode() for at in await self._writer.write(lines)]
        smallest = LEVELS[0].width
        self._windows |= {int(line.rpartition(b" ")[2]) // smallest * smallest for line in lines}

    async def roll_up(self, tell: Tell = lambda _: None) -> None:
        """Make the roll-ups of everything that was taken; tells how many windows are done."""
        done = 0
        for level in LEVELS:
            for span in runs(level, self._windows):
                await self._rollup.make(level, span)
                done += span[1]
                tell(done)


class LinesFile:
    """Line protocol in a file."""

    def __init__(self, file: TextIO, site: Site) -> None:
        self._file = file
        self._encoder = LineEncoder(site)

    async def take(self, readings: Sequence[Reading]) -> None:
        """See `Sink.take`."""
        for line in self._encoder.lines(readings):
            self._file.write(f"{line.decode()}\n")


class CsvFile:
    """Readings as rows of a CSV file with the columns `COLUMNS`."""

    def __init__(self, file: TextIO) -> None:
        self._rows = csv.writer(file)
        self._rows.writerow(COLUMNS)

    async def take(self, readings: Sequence[Reading]) -> None:
        """See `Sink.take`."""
        for reading in readings:
            value = reading.value
            text = repr(value) if isinstance(value, float) else str(value)
            received = "" if reading.received == reading.time else reading.received
            self._rows.writerow(
                (
                    reading.device, reading.point, reading.time, type(value).__name__, text,
                    int(reading.quality), received, reading.event,
                )
            )  # fmt: skip


def read_csv(file: TextIO, name: Path) -> Iterator[list[Reading]]:
    """The readings of a file that `CsvFile` wrote, some thousand at a time; raises `BadFile`."""
    rows = csv.reader(file)
    if tuple(next(rows, ())) != COLUMNS:
        raise BadFile(
            Message(
                N_("{file}: the first line must be: {columns}"), {"file": name, "columns": ",".join(COLUMNS)}
            )
        )
    while some := [*islice(rows, LINES)]:
        readings = []
        for row in some:
            try:
                readings.append(_of_row(row))
            except (ValueError, KeyError) as error:
                text = N_("{file}, line {line}: no reading: {row}")
                values = {"file": name, "line": rows.line_num, "row": ",".join(row)[:200]}
                raise BadFile(Message(text, values)) from error
        yield readings


def read_lines(file: TextIO) -> Iterator[list[bytes]]:
    """The lines of a file with line protocol, some thousand at a time; comments and empty lines left out."""
    while some := [*islice(file, LINES)]:
        yield [line.rstrip("\n").encode() for line in some if line.strip() and not line.startswith("#")]


@contextmanager
def opened(path: Path, mode: str) -> Iterator[TextIO]:
    """A text file to read (``r``) or write (``w``); one that ends in .gz is compressed. Raises OSError.

    What is written has its name when the context ends well, see `whole`.
    """
    with (
        whole(path) if mode == "w" else nullcontext(path) as place,
        place.open(f"{mode}b") as raw,
        nullcontext(raw) if path.suffix != ".gz" else gzip.GzipFile(path.name, mode, fileobj=raw) as plain,
        TextIOWrapper(cast("IO[bytes]", plain), encoding="utf-8", newline="") as text,
    ):
        yield text


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A place beside `path` to write to. It gets that name when the context ends well and goes otherwise, so
    that whoever is killed leaves no part of a file that looks like all of it."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)


async def everything(history: History, start: int, end: int) -> Mapping[tuple[str, str], int]:
    """How many readings each series has; raises `StoreUnavailable`."""
    return dict(sorted((await history.counts(start, end)).items()))


def _reading(device: str, point: str, row: Row) -> Reading:
    received = row.time if row.received is None else row.received
    return Reading(device, point, row.value, row.time, received, row.time, row.quality, row.event)


def _comparable(row: Row) -> tuple[object, ...]:
    value = row.value
    unknown = isinstance(value, float) and math.isnan(value)
    return ("unknown" if unknown else value, row.quality, row.received, row.event)


def _of_row(row: Sequence[str]) -> Reading:
    device, point, time, kind, text, quality, received, event = row
    value: Scalar
    match kind:
        case "float":
            value = float(text)
        case "bool":
            value = {"True": True, "False": False}[text]
        case "int":
            value = int(text)
        case "str":
            value = text
        case _:
            raise ValueError(kind)
    at = int(time)
    return Reading(device, point, value, at, int(received or at), at, int(quality), event)
