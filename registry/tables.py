"""CSV tables as installers keep them: saved by Excel in UTF-8 with a mark or in GB18030, with `,` `;` or tab.

Every row keeps its line. Cells stay text (validation turns them into numbers); an empty cell is left out,
so that the default holds. ``name_zh`` and ``name_en`` become one text by language, and ``overrides`` is
written ``smoke.critical=0.2; room-temperature.medium=55`` in one cell. Headings may be Chinese. A row
whose first cell starts with ``#`` is a remark.
"""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from language import N_, Message
from registry.problems import InvalidConfiguration, Part, Problem, did_you_mean, shown
from registry.reading_files import read_text

ENCODINGS: Final = ("utf-8-sig", "gb18030")

_CHINESE: Final = {
    "编号": "id",
    "设备编号": "id",
    "名称": "name",
    "中文名称": "name_zh",
    "英文名称": "name_en",
    "类型": "type",
    "设备类型": "type",
    "位置": "place",
    "安装位置": "place",
    "边缘": "edge",
    "边缘网关": "edge",
    "连接": "connection",
    "地址": "address",
    "阈值": "overrides",
    "网格": "grid",
    "楼栋": "building",
    "单元": "unit",
    "楼层": "floor",
    "防火分区": "fire_zone",
    "经度": "x",
    "纬度": "y",
    "网格员": "officer",
    "上级": "parent",
    "级别": "level",
    "类别": "kind",
    "姓名": "name",
    "角色": "role",
    "电话": "phone",
}

_LANGUAGES: Final = ("zh", "en")
_MOST_COLUMNS: Final = 500
"""A spreadsheet with its own columns beside ours has some dozens."""
_MAPPINGS: Final = frozenset({"overrides"})


class Table:
    """The rows of one CSV file, as mappings, and the line each came from."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.rows: list[dict[str, Any]] = []
        self.lines: list[int] = []
        self.header: list[str] = []
        self.missing: frozenset[str] = frozenset()
        """Required columns that the heading lacks: reported once, not again for every row."""
        self.problems: list[Problem] = []

    def contains(self, path: tuple[Part, ...]) -> bool:
        """Whether there is anything at `path`: row number, column, and inside the cell."""
        if not path or not isinstance(path[0], int) or path[0] >= len(self.rows):
            return not path
        found: Any = self.rows[path[0]]
        for part in path[1:]:
            if not isinstance(found, dict) or part not in found:
                return False
            found = found[part]
        return True

    def position(self, path: tuple[Part, ...]) -> tuple[int, None]:
        """The line of the row; a table's column is named, not counted."""
        return (self.lines[path[0]] if path and isinstance(path[0], int) else 1), None

    key_position = position


def read_table(path: Path, columns: Iterable[str], required: Iterable[str]) -> Table:
    """The rows of `path`; `columns` are those it may have, `required` those it must.

    Raises `InvalidConfiguration` when the file cannot be read as a table at all; smaller faults are in
    `Table.problems`.
    """
    text = read_text(path, ENCODINGS)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    table = Table(path)
    before = 0
    try:
        for cells in reader:
            line, before = before + 1, reader.line_num
            if not any(map(str.strip, cells)) or cells[0].lstrip().startswith("#"):
                continue
            if table.header:
                _add_row(table, line, cells)
            else:
                _add_header(table, line, cells, frozenset(columns), frozenset(required))
    except csv.Error as error:
        message = Message(N_("this is not a table: {reason}"), {"reason": str(error)})
        raise InvalidConfiguration([Problem(path, reader.line_num, None, "", "", message)]) from error
    if not table.header:
        raise InvalidConfiguration([Problem(path, 1, None, "", "", Message(N_("the table has no heading")))])
    return table


def _delimiter(text: str) -> str:
    first = next((line for line in text.splitlines() if line.strip() and line[0] != "#"), "")
    return max((",", ";", "\t"), key=first.count)


def _add_header(
    table: Table, line: int, cells: list[str], columns: frozenset[str], required: frozenset[str]
) -> None:
    """Take the columns' names in order; an empty name marks a column to leave out."""
    if len(cells) > _MOST_COLUMNS:
        message = Message(
            N_("the heading has {cells} columns; a table here has at most {most}"),
            {"cells": len(cells), "most": _MOST_COLUMNS},
        )
        raise InvalidConfiguration([Problem(table.file, line, None, "", shown(cells[0]), message)])
    allowed = columns | {f"{name}_{language}" for name in columns & {"name"} for language in _LANGUAGES}
    for cell in cells:
        written = shown(cell.strip())
        name = _CHINESE.get(written, written.lower().replace(" ", "_"))
        suggestion = None
        if name and name in table.header:
            message = Message(N_("the column `{name}` is there twice"), {"name": written})
        elif name and name not in allowed:
            message = Message(N_("unknown column `{name}`"), {"name": written})
            suggestion = did_you_mean(name, allowed - set(table.header))
        else:
            table.header.append(name)
            continue
        table.header.append("")
        table.problems.append(Problem(table.file, line, None, written, written, message, suggestion))
    have = {name.removesuffix("_zh").removesuffix("_en") for name in table.header}
    table.missing = required - have
    for name in sorted(table.missing):
        message = Message(N_("the column `{name}` is missing"), {"name": name})
        table.problems.append(Problem(table.file, line, None, name, "", message))


def _add_row(table: Table, line: int, cells: list[str]) -> None:
    if any(map(str.strip, cells[len(table.header) :])):
        message = Message(
            N_("the row has {cells} {cells|cell|cells}, the heading {columns}"),
            {"cells": len(cells), "columns": len(table.header)},
        )
        hint = Message(N_("put a text that holds the separator into double quotes"))
        table.problems.append(Problem(table.file, line, None, "", shown(cells[-1]), message, hint))
    row: dict[str, Any] = {}
    for name, cell in zip(table.header, cells, strict=False):
        text = cell.strip()
        if not name or not text:
            continue
        stem, _, language = name.rpartition("_")
        if language in _LANGUAGES and stem:
            by_language = row.setdefault(stem, {})
            if isinstance(by_language, dict):
                by_language[language] = text
        elif name in _MAPPINGS:
            row[name] = _mapping(table, line, name, text)
        else:
            row[name] = text
    table.rows.append(row)
    table.lines.append(line)


def _mapping(table: Table, line: int, column: str, text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(None, map(str.strip, text.replace("；", ";").split(";"))):
        key, equals, value = part.partition("=")
        if not equals:
            message = Message(N_("`{text}` is not written as name=value; name=value"), {"text": part})
            table.problems.append(Problem(table.file, line, None, column, shown(text), message))
        else:
            found[key.strip()] = value.strip()
    return found
