"""Parquet files of readings: what is in them, that it comes back, and what is said of a file that is none."""

import asyncio
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet as pq

from ingest import parquet
from ingest.parquet import ROWS_IN_GROUP, SCHEMA, parquet_sink, read_parquet
from ingest.transfer import LINES, BadFile
from readings import Quality, Reading
from tests.fuzz.target import same
from tests.ingest.world import NOW, SECOND

SIXTY_FOUR = st.integers(-(1 << 63), (1 << 63) - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@st.composite
def reading(draw: st.DrawFn) -> Reading:
    value = draw(st.one_of(st.booleans(), SIXTY_FOUR, st.floats(), TEXT))
    at = draw(SIXTY_FOUR)
    received = draw(st.one_of(st.just(at), SIXTY_FOUR))
    return Reading(draw(TEXT), draw(TEXT), value, at, received, at, draw(st.integers(0, 31)), draw(TEXT))


def written(file: Path, *takes: Sequence[Reading]) -> Path:
    async def give() -> None:
        with parquet_sink(file, file) as sink:
            for readings in takes:
                await sink.take(readings)

    asyncio.run(give())
    return file


def read(file: Path) -> list[Reading]:
    return [one for some in read_parquet(file) for one in some]


def fields(readings: Sequence[Reading]) -> list[tuple[Any, ...]]:
    return [
        (one.device, one.point, one.value, one.time, one.received, one.taken, one.quality, one.event)
        for one in readings
    ]


def regular(count: int, device: str = "climate-1") -> list[Reading]:
    return [
        Reading(device, "temperature", n / 10, NOW + n * SECOND, NOW + n * SECOND, NOW + n * SECOND)
        for n in range(count)
    ]


@given(st.lists(reading(), max_size=30))
def test_every_reading_comes_back_as_it_was(readings: list[Reading]) -> None:
    with TemporaryDirectory() as folder:
        file = written(Path(folder) / "out.parquet", readings)
        assert same(fields(read(file)), fields(readings))


@pytest.mark.parametrize(
    "value",
    [
        True, False, 0, 1, (1 << 53) + 1, -(1 << 63), (1 << 63) - 1, 0.0, 1.0, 5e-324, math.nan, math.inf,
        -math.inf, "", "1", "烟雾 🚪", "a\0b", 'x"\n,',
    ],
)  # fmt: skip
def test_a_value_keeps_its_kind(value: bool | int | float | str, tmp_path: Path) -> None:
    (back,) = read(
        written(tmp_path / "out.parquet", [Reading("门-1", "状态", value, NOW, NOW, NOW, event="🔥")])
    )
    assert same(back.value, value)
    assert (back.device, back.point, back.event) == ("门-1", "状态", "🔥")


def test_minus_zero_stays_minus_zero(tmp_path: Path) -> None:
    (back,) = read(written(tmp_path / "out.parquet", [Reading("a", "b", -0.0, 1, 1, 1)]))
    assert math.copysign(1, back.value) == -1  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("odd", "why"),
    [
        (
            Reading("电表-1", "energy", 1 << 63, NOW, NOW, NOW),
            rf"value_int of 电表-1 energy at {NOW} ns .*too",
        ),
        (Reading("a", "b", -(1 << 63) - 1, NOW, NOW, NOW), "value_int of a b .* too large for int64"),
        (Reading("a", "b", "\ud800", NOW, NOW, NOW), "value_text of a b .* no text of whole characters"),
        (Reading("\ud800", "b", 1, NOW, NOW, NOW), r"device of \? b .* no text of whole characters"),
        (Reading("a", "b", 1, 1 << 63, NOW, NOW), "time of a b .* too large for timestamp"),
        (Reading("a", "b", 1, NOW, NOW, NOW, 1 << 40), "quality of a b .* too large for int32"),
    ],
)
def test_what_parquet_cannot_hold_is_named_and_no_other_value_written(
    odd: Reading, why: str, tmp_path: Path
) -> None:
    with pytest.raises(BadFile, match=why):
        written(tmp_path / "out.parquet", [*regular(3), odd])


def test_pyarrow_finds_the_columns_that_are_documented(tmp_path: Path) -> None:
    suspect = int(Quality.CLOCK_SUSPECT)
    file = written(
        tmp_path / "out.parquet",
        [*regular(1), Reading("smoke-1", "smoke", True, NOW, NOW + 7, NOW, suspect, "e 1")],
    )
    table = pq.read_table(file)
    assert [(field.name, str(field.type), field.nullable) for field in table.schema] == [
        ("device", "string", False),
        ("point", "string", False),
        ("time", "timestamp[ns, tz=UTC]", False),
        ("value_float", "double", True),
        ("value_int", "int64", True),
        ("value_bool", "bool", True),
        ("value_text", "string", True),
        ("quality", "int32", False),
        ("received", "timestamp[ns, tz=UTC]", True),
        ("event", "string", True),
    ]
    said = pq.read_metadata(file).metadata
    assert said[b"gridwarden.format"] == b"readings"
    assert said[b"gridwarden.version"] == b"1"
    rows = table.drop_columns(["time", "received"]).to_pylist()
    empty = {"value_float": None, "value_int": None, "value_bool": None, "value_text": None}
    assert rows == [
        empty
        | {"device": "climate-1", "point": "temperature", "value_float": 0.0, "quality": 0, "event": None},
        empty | {"device": "smoke-1", "point": "smoke", "value_bool": True, "quality": 4, "event": "e 1"},
    ]
    assert table["time"].cast(pa.int64()).to_pylist() == [NOW, NOW]
    assert table["received"].cast(pa.int64()).to_pylist() == [None, NOW + 7]


def test_columns_are_packed_with_dictionaries_and_zstd(tmp_path: Path) -> None:
    group = pq.read_metadata(written(tmp_path / "out.parquet", regular(1000))).row_group(0)
    columns = {group.column(n).path_in_schema: group.column(n) for n in range(group.num_columns)}
    assert {column.compression for column in columns.values()} == {"ZSTD"}
    for name in ("device", "point"):
        assert "RLE_DICTIONARY" in columns[name].encodings
    assert "DELTA_BINARY_PACKED" in columns["time"].encodings


def test_no_row_group_is_larger_than_the_bound_however_readings_come(tmp_path: Path) -> None:
    pieces = [regular(1), regular(2 * ROWS_IN_GROUP + 5, "climate-2"), [], regular(10, "climate-3")]
    file = written(tmp_path / "out.parquet", *pieces)
    metadata = pq.read_metadata(file)
    sizes = [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)]
    assert sizes == [ROWS_IN_GROUP, ROWS_IN_GROUP, 16]
    given_at_once = [len(some) for some in read_parquet(file)]
    assert max(given_at_once) <= LINES
    assert sum(given_at_once) == sum(sizes)
    assert fields(read(file)) == fields([one for some in pieces for one in some])


def test_a_row_group_is_on_disk_before_the_next_one_is_gathered(tmp_path: Path) -> None:
    file = tmp_path / "out.parquet"

    async def sizes() -> Iterator[int]:
        found = []
        with parquet_sink(file, file) as sink:
            for n in range(3):
                await sink.take(regular(ROWS_IN_GROUP, f"climate-{n}"))
                found.append(file.stat().st_size)
        return iter(found)

    first, second, third = asyncio.run(sizes())
    assert 4 < first < second < third


def test_a_name_is_a_file_even_if_it_looks_like_an_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("s3:out.parquet", "2026-11-30T18:00 烟雾.parquet"):
        assert read(written(Path(name), regular(3))) == regular(3)


KILLED = """
import asyncio, os, signal
from pathlib import Path
from ingest.parquet import ROWS_IN_GROUP, parquet_sink
from ingest.transfer import whole
from readings import Reading

async def main():
    file = Path("out.parquet")
    with whole(file) as path, parquet_sink(path, file) as sink:
        for _ in range(2):
            await sink.take([Reading("a", "b", 1.0, n, n, n) for n in range(ROWS_IN_GROUP)])
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def test_a_killed_export_leaves_nothing_that_looks_whole(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, "-c", KILLED], cwd=tmp_path, env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.name == ".out.parquet.partial"
    with pytest.raises(BadFile, match="the end of this Parquet file is missing"):
        read(left)


def test_a_file_without_readings_is_one(tmp_path: Path) -> None:
    assert read(written(tmp_path / "out.parquet")) == []


def test_columns_may_stand_in_another_order_with_more_beside_them(tmp_path: Path) -> None:
    file = written(tmp_path / "out.parquet", regular(3))
    table = pq.read_table(file)
    more = table.select(table.column_names[::-1]).append_column("building", pa.array(["A"] * 3))
    pq.write_table(more.replace_schema_metadata(None), tmp_path / "more.parquet")
    assert read(tmp_path / "more.parquet") == regular(3)


def changed(change: Callable[[pa.Table], pa.Table]) -> Callable[[Path], None]:
    def apply(file: Path) -> None:
        table = change(pq.read_table(written(file, regular(3))))
        pq.write_table(table, file)

    return apply


def put(name: str, values: list[object]) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        at = table.column_names.index(name)
        return table.set_column(at, pa.field(name, SCHEMA.field(name).type), [values])

    return change


def cut(at: int) -> Callable[[Path], None]:
    return lambda file: os.truncate(written(file, regular(3)), at)


def content(data: bytes) -> Callable[[Path], None]:
    return lambda file: void(file.write_bytes(data))


def void(_: object) -> None:
    """Nothing is told of it."""


def values_damaged(file: Path) -> None:
    """A flipped byte in the middle of the values."""
    chunk = pq.read_metadata(written(file, regular(1000))).row_group(0).column(3)
    data = bytearray(file.read_bytes())
    data[chunk.dictionary_page_offset + chunk.total_compressed_size // 2] ^= 0x55
    file.write_bytes(data)


def footer_damaged(file: Path) -> None:
    data = bytearray(written(file, regular(3)).read_bytes())
    length = int.from_bytes(data[-8:-4], "little")
    data[-8 - length : -8] = b"\xff" * length
    file.write_bytes(data)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (content(b""), r"out\.parquet: this is no Parquet file"),
        (content(b"device,point,time_ns\n"), r"out\.parquet: this is no Parquet file"),
        (content(b"PAR1"), r"out\.parquet: the end of this Parquet file is missing"),
        (cut(100), r"out\.parquet: the end of this Parquet file is missing"),
        (cut(1000), r"out\.parquet: the end of this Parquet file is missing"),
        (footer_damaged, r"out\.parquet is damaged: "),
        (values_damaged, r"out\.parquet, row group 1, column value_float is damaged: "),
        (
            lambda file: pq.write_table(pa.table({"x": [1]}), file),
            r"out\.parquet: there must be one column device\. The columns are: x$",
        ),
        (
            changed(lambda table: table.drop_columns(["quality"])),
            "there must be one column quality",
        ),
        (
            changed(lambda table: table.set_column(4, "value_int", [pa.array([1.0] * 3)])),
            r"out\.parquet, column value_int: its type must be int64, not double",
        ),
        (
            changed(
                lambda table: table.set_column(
                    2, "time", table["time"].cast(pa.timestamp("us", "UTC"), safe=False)
                )
            ),
            r"column time: its type must be timestamp\[ns, tz=UTC\], not timestamp\[us, tz=UTC\]",
        ),
        (
            changed(
                lambda table: table.replace_schema_metadata(SCHEMA.metadata | {parquet.VERSION_KEY: b"2"})
            ),
            r"it holds `readings` of version 2; this GridWarden reads `readings` of 1",
        ),
        (
            changed(lambda table: table.replace_schema_metadata({parquet.NAME_KEY: b"cases"})),
            "it holds `cases`",
        ),
        (
            changed(put("value_float", [1.0, None, 2.0])),
            r"out\.parquet, row group 1, row 2: no reading: climate-1,temperature,",
        ),
        (changed(put("value_bool", [None, None, True])), "row group 1, row 3: no reading"),
        (changed(put("device", [None, "a", "b"])), "row group 1, row 1: no reading"),
    ],
)
def test_a_file_that_is_none_is_refused_with_its_place(
    make: Callable[[Path], None], why: str, tmp_path: Path
) -> None:
    file = tmp_path / "out.parquet"
    make(file)
    with pytest.raises(BadFile, match=why):
        read(file)


def test_a_row_is_named_by_its_own_row_group(tmp_path: Path) -> None:
    file = tmp_path / "out.parquet"
    table = pq.read_table(written(file, regular(20)))
    broken = [None if n == 17 else 1.0 for n in range(20)]
    pq.write_table(put("value_float", [*broken])(table), file, row_group_size=7)
    with pytest.raises(BadFile, match="row group 3, row 4: no reading"):
        read(file)


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    data = written(tmp_path / "out.parquet", regular(50)).read_bytes()
    file = tmp_path / "cut.parquet"
    for size in range(len(data)):
        file.write_bytes(data[:size])
        with pytest.raises(BadFile):
            read(file)


@given(st.data())
def test_a_damaged_file_is_refused_or_read_and_never_raises_anything_else(data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        file = written(Path(folder) / "out.parquet", regular(50))
        bytes_ = bytearray(file.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            bytes_[data.draw(st.integers(0, len(bytes_) - 1))] = data.draw(st.integers(0, 255))
        file.write_bytes(bytes_)
        with suppress(BadFile):
            read(file)


def test_a_file_that_is_not_there_is_the_disks_word(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "out.parquet")


WITHOUT = "import sys; sys.modules['pyarrow'] = None; from gridwarden.main import main; main()"


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "out.parquet: Parquet needs the package pyarrow; add it in GridWarden's folder with: bash -c"),
        ("zh", "out.parquet：Parquet 需要软件包 pyarrow；请在 GridWarden 的文件夹中添加：bash -c"),
    ],
)
@pytest.mark.parametrize("command", ["export", "import"])
def test_without_pyarrow_a_sentence_says_how_to_get_it(
    command: str, language: str, sentence: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, command, "out.parquet", "--data", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "GRIDWARDEN_LANG": language, "LC_ALL": "C.UTF-8"},
        cwd=tmp_path,
    )
    assert done.returncode == 2
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1


def test_other_formats_load_no_pyarrow() -> None:
    check = (
        "import sys, gridwarden.main, gridwarden.commands.transfer as transfer; from pathlib import Path; "
        "transfer.format_of(Path('out.csv')); assert 'pyarrow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", check], check=True)
