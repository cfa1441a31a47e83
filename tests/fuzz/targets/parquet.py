"""Parquet files of readings, as `gridwarden import` reads them."""

import asyncio
import math
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from ingest.parquet import parquet_sink, read_parquet
from ingest.transfer import BadFile
from readings import Reading
from tests.fuzz.target import Target
from tests.fuzz.targets.site import in_memory


def _check_parquet(data: bytes) -> None:
    """Readings, or a sentence that names the file."""
    with TemporaryDirectory(dir=in_memory()) as folder:
        file = Path(folder) / "in.parquet"
        file.write_bytes(data)
        try:
            for readings in read_parquet(file):
                for reading in readings:
                    assert isinstance(reading.time, int)
                    assert isinstance(reading.value, bool | int | float | str)
        except BadFile as error:
            assert str(error).startswith(str(file))
            assert str(error).encode()
            assert len(str(error)) <= 4_000


def _written(readings: Sequence[Reading]) -> bytes:
    async def write(file: Path) -> None:
        with parquet_sink(file, file) as sink:
            await sink.take(readings)

    with TemporaryDirectory(dir=in_memory()) as folder:
        file = Path(folder) / "out.parquet"
        asyncio.run(write(file))
        return file.read_bytes()


_MIXED = _written(
    [
        Reading("climate-1", "temperature", 21.5, 1_700_000_000_000_000_000, 1_700_000_000_000_000_000, 0),
        Reading("climate-1", "temperature", math.nan, 1_700_000_060_000_000_000, 0, 0, 6),
        Reading("smoke-1", "smoke", True, 1_700_000_000_000_000_000, 1_700_000_000_000_000_000, 0),
        Reading("meter-1", "energy", 1 << 60, 1_700_000_000_000_000_000, 1_700_000_000_000_000_000, 0),
        Reading(
            "门-1", "event", "刷卡 🚪", 1_700_000_000_000_000_000, 1_700_000_000_000_000_000, 0, 0, "e 1"
        ),
    ]
)
_LONG = _written([Reading("a", "b", n / 10, n, n, n) for n in range(3_000)])

TARGETS = (
    Target(
        "parquet", _check_parquet, (_MIXED, _LONG),
        (b"PAR1", b"value_float", b"device", b"gridwarden.version", b"\x28\xb5\x2f\xfd"),
        runs=200, hostile=(b"PAR1" + b"\xff" * 1_000_000 + b"\x40\x42\x0f\x00PAR1", _LONG[:-8] * 20 + _LONG),
    ),
)  # fmt: skip
