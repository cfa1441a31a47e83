"""Each dashboard has a picture in the documentation, and it shows the panels that the dashboard has."""

import struct
import zlib

import pytest

from dashboards.boards import BOARDS
from scripts.dashboard_pictures import LANGUAGE, PICTURES, WIDTH, panels
from scripts.png import description, indexed
from tests.dashboards.day_in_influx import document

LARGEST = 150_000
"""A page with seven of them still comes at once."""


def test_there_is_a_picture_of_every_dashboard_and_of_nothing_else() -> None:
    assert {path.name for path in PICTURES.iterdir()} == {f"{board}.png" for board in BOARDS}


@pytest.mark.parametrize("board", BOARDS)
def test_a_picture_shows_the_panels_of_its_dashboard(board: str) -> None:
    picture = (PICTURES / f"{board}.png").read_bytes()
    assert description(picture) == panels(document(board, LANGUAGE)), (
        f"draw it anew: .venv/bin/python -m scripts.dashboard_pictures {board}"
    )
    (width,) = struct.unpack_from(">I", picture, 16)
    assert width == WIDTH
    assert len(picture) < LARGEST


def test_a_picture_of_few_colours_keeps_them_all() -> None:
    red, green, white = b"\xff\0\0\xff", b"\0\xff\0\xff", b"\xff\xff\xff\xff"
    rows = ((red, white, white), (white, white, green))
    picture = indexed(3, b"".join(point for row in rows for point in row), "two\nlines, 两行")
    assert description(picture) == "two\nlines, 两行"
    body: dict[bytes, bytes] = {}
    at = 8
    while at < len(picture):
        length, kind = struct.unpack_from(">I4s", picture, at)
        body[kind] = picture[at + 8 : at + 8 + length]
        at += length + 12
    palette = [body[b"PLTE"][place : place + 3] for place in range(0, len(body[b"PLTE"]), 3)]
    lines = zlib.decompress(body[b"IDAT"])
    assert [[palette[place] for place in lines[at + 1 : at + 4]] for at in (0, 4)] == [
        [point[:3] for point in row] for row in rows
    ]
    assert description(b"\x89PNG\r\n\x1a\n") == ""


def test_a_picture_of_many_colours_keeps_the_one_that_differs() -> None:
    greys = [bytes((shade // 4, shade // 4, shade // 4 + shade % 4, 255)) for shade in range(1000)]
    picture = indexed(1001, b"".join([*greys, b"\xff\0\0\xff"]), "")
    assert picture.count(b"PLTE") == 1
    at = picture.index(b"PLTE")
    (length,) = struct.unpack_from(">I", picture, at - 4)
    palette = picture[at + 4 : at + 4 + length]
    assert length == 3 * 256
    assert b"\xff\0\0" in [palette[place : place + 3] for place in range(0, length, 3)]
