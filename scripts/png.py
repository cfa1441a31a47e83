"""PNG files of few colours, with a word about what they show (https://www.w3.org/TR/png/).

Pictures of a screen have thousands of colours, nearly all of them in the edges of letters and lines. With 256
of them a file is less than half as large, and no eye sees the difference.
"""

import struct
import zlib
from collections import Counter
from typing import Final

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_INDEXED: Final = (8, 3, 0, 0, 0)
"""Depth, colour type, and the only methods there are of compression, filter and interlace."""
_COLOURS: Final = 256
_KEYWORD: Final = b"Description"


def indexed(width: int, pixels: bytes, about: str) -> bytes:
    """A PNG of `pixels` (RGBA, 4 bytes each, row by row), and `about` as its description."""
    # equal colours are equal numbers, in whatever order a number's bytes are
    points = memoryview(pixels).cast("I")
    counted = Counter(points)
    palette, place = _chosen(counted)
    height = len(points) // width
    rows = (points[row * width : (row + 1) * width] for row in range(height))
    lines = b"".join(b"\0" + bytes(map(place.__getitem__, row)) for row in rows)
    return b"".join(
        (
            _SIGNATURE,
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, *_INDEXED)),
            _chunk(b"iTXt", _KEYWORD + b"\0\0\0\0\0" + about.encode()),
            _chunk(b"PLTE", b"".join(palette)),
            _chunk(b"IDAT", zlib.compress(lines, 9)),
            _chunk(b"IEND", b""),
        )
    )


def description(png: bytes) -> str:
    """What `indexed` was told about the picture; empty for a picture from elsewhere."""
    at = len(_SIGNATURE)
    while at < len(png):
        length, kind = struct.unpack_from(">I4s", png, at)
        body = png[at + 8 : at + 8 + length]
        if kind == b"iTXt" and body.startswith(_KEYWORD + b"\0"):
            return body.rpartition(b"\0")[2].decode()
        at += length + 12
    return ""


def _chosen(counted: Counter[int]) -> tuple[list[bytes], dict[int, int]]:
    """Colours, and for each colour of the picture the place of the one that stands for it.

    The next colour is always the one whose points together are worst off so far: so a curve that is drawn
    once keeps its colour, and so do the edges of all letters.
    """
    named = {colour: struct.pack("=I", colour)[:3] for colour in counted}
    place = dict.fromkeys(counted, 0)
    error = {colour: float(times) for colour, times in counted.items()}
    palette: list[bytes] = []
    while len(palette) < _COLOURS:
        worst = max(error, key=error.__getitem__)
        if not error[worst]:
            break
        red, green, blue = named[worst]
        for colour, (r, g, b) in named.items():
            off = ((r - red) ** 2 + (g - green) ** 2 + (b - blue) ** 2) * counted[colour]
            if not palette or off < error[colour]:
                error[colour], place[colour] = off, len(palette)
        palette.append(named[worst])
    return palette, place


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
