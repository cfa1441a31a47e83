"""CSV as installers keep it."""

from pathlib import Path

import pytest

from registry.problems import InvalidConfiguration
from registry.tables import Table, read_table

COLUMNS = {"id", "name", "place", "overrides"}


def read(tmp_path: Path, content: bytes | str) -> Table:
    file = tmp_path / "t.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(file, COLUMNS, {"id", "place"})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_whatever_excel_saves_is_read(tmp_path: Path, encoding: str, separator: str, end: str) -> None:
    text = end.join(separator.join(row) for row in (["id", "name", "place"], ["a", "厨房", "b"]))
    table = read(tmp_path, text.encode(encoding))
    assert table.rows == [{"id": "a", "name": "厨房", "place": "b"}]
    assert table.problems == []


def test_headings_may_be_chinese(tmp_path: Path) -> None:
    assert read(tmp_path, "设备编号,中文名称,安装位置\na,厨房,b\n").rows == [
        {"id": "a", "name": {"zh": "厨房"}, "place": "b"}
    ]


def test_rows_keep_their_line_over_breaks_remarks_and_blank_lines(tmp_path: Path) -> None:
    table = read(tmp_path, 'id,name,place\n# a remark\n\na,"two\nlines",b\nc,,d\n')
    assert table.lines == [4, 6]
    assert table.rows[1] == {"id": "c", "place": "d"}


def test_names_by_language_and_thresholds_come_out_of_single_cells(tmp_path: Path) -> None:
    table = read(tmp_path, "id,name_zh,name_en,place,overrides\na,厨房,Kitchen,b,x.high=3;y = 4；\n")
    assert table.rows[0]["name"] == {"zh": "厨房", "en": "Kitchen"}
    assert table.rows[0]["overrides"] == {"x.high": "3", "y": "4"}


def test_a_column_that_is_missing_is_reported_once_and_not_for_every_row(tmp_path: Path) -> None:
    table = read(tmp_path, "id,plcae\n" + "a,b\n" * 50)
    assert [str(problem) for problem in table.problems] == [
        "t.csv:1: error: plcae: unknown column `plcae`; did you mean `place`?",
        "t.csv:1: error: place: the column `place` is missing",
    ]
    assert table.missing == {"place"}


def test_a_column_that_is_there_twice_is_reported(tmp_path: Path) -> None:
    assert "the column `id` is there twice" in str(read(tmp_path, "id,id,place\na,b,c\n").problems[0])


def test_a_table_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration, match="the table has no heading"):
        read(tmp_path, "\n\n")
    with pytest.raises(InvalidConfiguration, match="not a table"):
        read(tmp_path, "id,place\n" + "x" * 200_000 + ",b\n")
