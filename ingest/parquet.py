"""Readings in a Parquet file: a row a reading, in row groups of bounded size, so that neither side ever holds
more of a file than one of them.

This room needs pyarrow, which not everybody installs (the extra ``parquet``): import it only for such a file.

A value stands in the one of four columns that is for its kind, the other three are null. So a reading comes
back as what it was, and every column is of a type that other programs calculate with. Parquet does its own
dictionary encoding, which makes names cost next to nothing; times differ from row to row and are written as
differences.

Format: https://github.com/apache/parquet-format (timestamps of ns: LogicalTypes.md, checksums: README.md).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from pyarrow import parquet as pq

from ingest.transfer import LINES, BadFile
from language import N_, Message
from readings import Reading, Scalar

ROWS_IN_GROUP: Final = 100_000
"""Of a file that we write: some 25 MB while it is gathered, and large enough to be packed well."""

NAME_KEY: Final = b"gridwarden.format"
VERSION_KEY: Final = b"gridwarden.version"
NAME: Final = b"readings"
VERSION: Final = 1
"""What the file says about itself. A file with other columns would have another version."""

_MOMENT: Final = pa.timestamp("ns", tz="UTC")
VALUES: Final[Mapping[type[Scalar], str]] = {
    float: "value_float",
    int: "value_int",
    bool: "value_bool",
    str: "value_text",
}
"""The column for each kind of value."""

_FIELDS: Final[Sequence["pa.Field[Any]"]] = (
    pa.field("device", pa.string(), nullable=False),
    pa.field("point", pa.string(), nullable=False),
    pa.field("time", _MOMENT, nullable=False),
    pa.field("value_float", pa.float64()),
    pa.field("value_int", pa.int64()),
    pa.field("value_bool", pa.bool_()),
    pa.field("value_text", pa.string()),
    pa.field("quality", pa.int32(), nullable=False),
    pa.field("received", _MOMENT),
    pa.field("event", pa.string()),
)
SCHEMA: Final = pa.schema(_FIELDS, metadata={NAME_KEY: NAME, VERSION_KEY: str(VERSION).encode()})
"""`received` is null where it is `time`, `event` where there is none."""

_DIFFERENCES: Final = ("time", "received")
_DICTIONARIES: Final = [name for name in SCHEMA.names if name not in _DIFFERENCES and name != "value_bool"]
_MAGIC: Final = b"PAR1"
"""A Parquet file begins and ends with it."""

_REFUSALS: Final = (pa.ArrowException, OSError, ValueError)
"""What pyarrow raises for a file that it cannot read …"""
_UNFIT: Final = (pa.ArrowException, OverflowError, UnicodeEncodeError)
"""… and for a value that a column cannot hold."""


class ParquetSink:
    """Takes readings and writes a row group whenever there are enough; see `parquet_sink`."""

    def __init__(self, writer: pq.ParquetWriter, name: Path) -> None:
        self._writer = writer
        self._name = name
        self._waiting: list[Reading] = []

    async def take(self, readings: Sequence[Reading]) -> None:
        """See `ingest.transfer.Sink.take`. Raises `BadFile` for a reading that Parquet cannot hold."""
        self._waiting += readings
        while len(self._waiting) >= ROWS_IN_GROUP:
            self._write(self._waiting[:ROWS_IN_GROUP])
            del self._waiting[:ROWS_IN_GROUP]

    def finish(self) -> None:
        """Write what is left. Raises like `take`."""
        if self._waiting:
            self._write(self._waiting)
            self._waiting = []

    def _write(self, readings: Sequence[Reading]) -> None:
        columns = _columns(readings)
        arrays = [self._array(field, columns[field.name], readings) for field in SCHEMA]
        self._writer.write_table(pa.table(arrays, schema=SCHEMA), row_group_size=len(readings))

    def _array(
        self, field: "pa.Field[Any]", values: Sequence[object], readings: Sequence[Reading]
    ) -> "pa.Array[Any]":
        try:
            made: pa.Array[Any] = pa.array(values, field.type)
        except _UNFIT as error:
            reading = readings[_first_unfit(field.type, values)]
            text = N_("{file}: {column} of {device} {point} at {time} ns has no place in Parquet: {reason}")
            said: dict[str, object] = {
                "file": self._name,
                "column": field.name,
                "device": _printable(reading.device),
                "point": _printable(reading.point),
                "time": reading.time,
                "reason": Message(N_("no text of whole characters"))
                if isinstance(error, UnicodeEncodeError)
                else Message(N_("too large for {type}"), {"type": field.type}),
            }
            raise BadFile(Message(text, said)) from error
        return made


@contextmanager
def parquet_sink(path: Path, name: Path) -> Iterator[ParquetSink]:
    """A new file at `path`, whole when the context ends well; errors call it `name`.

    Raises OSError and what `ParquetSink.take` raises. Left by an error, the file may look whole and is not:
    give it another name until then, see `ingest.transfer.whole`.
    """
    with (
        pa.OSFile(str(path), "wb") as raw,
        pq.ParquetWriter(
            raw,  # a name with a colon would be taken for an address
            SCHEMA,
            compression="zstd",
            use_dictionary=_DICTIONARIES,  # type: ignore[arg-type]  # names are taken as well
            column_encoding=dict.fromkeys(_DIFFERENCES, "DELTA_BINARY_PACKED"),
            write_page_checksum=True,
        ) as writer,
    ):
        sink = ParquetSink(writer, name)
        yield sink
        sink.finish()


def read_parquet(path: Path) -> Iterator[list[Reading]]:
    """The readings of a file with the columns `SCHEMA`, some thousand at a time.

    More columns than these are passed over. Raises `BadFile` and OSError.
    """
    with pa.OSFile(str(path), "rb") as raw:
        file = _opened(raw, path)
        for group in range(file.num_row_groups):
            row = 0
            for batch in _batches(file, path, group):
                columns = [_column(batch.column(name), path, group, name) for name in SCHEMA.names]
                yield [
                    _reading(cells, path, group, number)
                    for number, cells in enumerate(zip(*columns, strict=True), row + 1)
                ]
                row += batch.num_rows


def _opened(raw: pa.OSFile, path: Path) -> pq.ParquetFile:
    """The file, with the columns that it should have."""
    _see_that_it_is_whole(raw, path)
    try:
        # without pre_buffer, and with a buffer, pages come one by one: memory does not follow a group's size
        file = pq.ParquetFile(raw, pre_buffer=False, buffer_size=1 << 20, page_checksum_verification=True)
        schema = file.schema_arrow
    except _REFUSALS as error:
        if _is_of_the_disk(error):
            raise
        raise _damaged(path, error) from error
    said = file.metadata.metadata or {}
    name, version = said.get(NAME_KEY, NAME), said.get(VERSION_KEY, str(VERSION).encode())
    if (name, version) != (NAME, str(VERSION).encode()):
        text = N_("{file}: it holds `{name}` of version {version}; this GridWarden reads `{ours}` of {known}")
        values: dict[str, object] = {
            "file": path,
            "name": name.decode(errors="replace"),
            "version": version.decode(errors="replace"),
            "ours": NAME.decode(),
            "known": VERSION,
        }
        raise BadFile(Message(text, values))
    for field in SCHEMA:
        if schema.names.count(field.name) != 1:
            text = N_("{file}: there must be one column {column}. The columns are: {columns}")
            raise BadFile(
                Message(text, {"file": path, "column": field.name, "columns": ", ".join(schema.names) or "–"})
            )
        found = schema.field(field.name).type
        if found != field.type:
            text = N_("{file}, column {column}: its type must be {wanted}, not {found}")
            raise BadFile(
                Message(text, {"file": path, "column": field.name, "wanted": field.type, "found": str(found)})
            )
    return file


def _see_that_it_is_whole(raw: pa.OSFile, path: Path) -> None:
    head = raw.read(len(_MAGIC))
    raw.seek(max(0, raw.size() - len(_MAGIC)))
    tail = raw.read(len(_MAGIC))
    raw.seek(0)
    if head != _MAGIC:
        raise BadFile(Message(N_("{file}: this is no Parquet file"), {"file": path}))
    if tail != _MAGIC or raw.size() < 3 * len(_MAGIC):
        text = N_("{file}: the end of this Parquet file is missing: it was not written or copied to the end")
        raise BadFile(Message(text, {"file": path}))


def _batches(file: pq.ParquetFile, path: Path, group: int) -> Iterator[pa.RecordBatch]:
    try:
        yield from file.iter_batches(LINES, row_groups=[group], columns=SCHEMA.names, use_threads=False)
    except _REFUSALS as error:
        if _is_of_the_disk(error):
            raise
        raise _damaged(path, error, group, _broken_column(file, group)) from error


def _broken_column(file: pq.ParquetFile, group: int) -> str:
    """The first column of a row group that cannot be read, whichever the whole was refused for."""
    for name in SCHEMA.names:
        try:
            for _ in file.iter_batches(LINES, row_groups=[group], columns=[name], use_threads=False):
                pass
        except _REFUSALS:
            return name
    return "–"


def _column(array: "pa.Array[Any]", path: Path, group: int, name: str) -> list[Any]:
    # pyarrow has no Python object for ns: it would ask for pandas
    plain = array.cast(pa.int64()) if pa.types.is_timestamp(array.type) else array
    try:
        return plain.to_pylist()
    except UnicodeDecodeError as error:
        raise _damaged(path, error, group, name) from error


def _is_of_the_disk(error: Exception) -> bool:
    """Whether it is the disk's trouble: pyarrow's own OSErrors, of the file's, have no number."""
    return isinstance(error, OSError) and error.errno is not None


def _damaged(path: Path, error: Exception, group: int | None = None, column: str = "") -> BadFile:
    reason = " ".join(str(error).split())[:200]
    if group is None:
        return BadFile(Message(N_("{file} is damaged: {reason}"), {"file": path, "reason": reason}))
    return BadFile(
        Message(
            N_("{file}, row group {group}, column {column} is damaged: {reason}"),
            {"file": path, "group": group + 1, "column": column, "reason": reason},
        )
    )


def _columns(readings: Sequence[Reading]) -> dict[str, list[Any]]:
    """The cells of every column of `SCHEMA`; a value's kind is its type, which for True is not int."""
    values: dict[str, list[Any]] = {
        column: [reading.value if type(reading.value) is kind else None for reading in readings]
        for kind, column in VALUES.items()
    }
    return values | {
        "device": [reading.device for reading in readings],
        "point": [reading.point for reading in readings],
        "time": [reading.time for reading in readings],
        "quality": [int(reading.quality) for reading in readings],
        "received": [None if reading.received == reading.time else reading.received for reading in readings],
        "event": [reading.event or None for reading in readings],
    }


def _first_unfit(kind: "pa.DataType", values: Sequence[object]) -> int:
    for number, value in enumerate(values):
        try:
            pa.array([value], kind)
        except _UNFIT:
            return number
    return 0


def _printable(text: str) -> str:
    return text.encode(errors="replace").decode()


def _reading(cells: tuple[Any, ...], path: Path, group: int, row: int) -> Reading:
    device, point, time, *values, quality, received, event = cells
    given = [value for value in values if value is not None]
    if device is None or point is None or time is None or quality is None or len(given) != 1:
        text = N_("{file}, row group {group}, row {row}: no reading: {cells}")
        told = ",".join("" if cell is None else str(cell) for cell in cells)[:200]
        raise BadFile(Message(text, {"file": path, "group": group + 1, "row": row, "cells": told}))
    at = time if received is None else received
    return Reading(device, point, given[0], time, at, time, quality, event or "")
