"""Where readings are kept: whether the limits fit the disk, and whether InfluxDB takes readings."""

import asyncio
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

import httpx

from gateway.config import GatewayConfig
from gridwarden.console_text import tell, translate
from gridwarden.finding import Finding
from ingest.database import StoreUnavailable
from ingest.disk import DiskLimits, DiskWatch, Room, space_of
from ingest.stores.influx_answers import Verdict as Written
from ingest.stores.influx_client import (
    UNREADABLE,
    DatabaseMissing,
    InfluxClient,
    InfluxSettings,
    NotSetUp,
    QueryFailed,
    identifier,
)
from readings.measurements import RECORDS, RESOLUTION

GIGABYTE: Final = 1 << 30
CLOCK_OFF_SECONDS: Final = 2.0
_MOST: Final = 1_000_000
"""``max-series-per-database`` of InfluxDB 1.x, unless it is set."""
_MANY_SERIES: Final = _MOST // 2
_NOTHING: Final = b"# gridwarden doctor\n"
"""A comment: the server checks the user's right to write, and there is nothing to write."""


def check_limits(config: GatewayConfig) -> Iterator[Finding]:
    """Whether everything that may be kept fits the disks, each with its floor."""
    disk, bus, keep = config.disk, config.bus, config.keep
    limits = DiskLimits(disk.floor_bytes, disk.reserve_bytes)
    kept = keep.quarantine_bytes * (1 + len(config.stores))
    kept += keep.operations_bytes if config.operations is None else 0
    kept += keep.readings_bytes if config.embedded else 0
    streams = 2 * (bus.alarm_bytes + bus.telemetry_bytes)
    wanted = {config.data: kept} if config.data.exists() else {}
    for folder in disk.others:
        if folder.exists():
            wanted[folder] = streams
    by_disk: dict[int, list[Path]] = {}
    for folder in wanted:
        by_disk.setdefault(folder.stat().st_dev, []).append(folder)
    for folders in by_disk.values():
        space = space_of(folders[0])
        total = sum(wanted[folder] for folder in folders) + limits.floor_of(space)
        what = tell(
            "limits for {folders}: {wanted} GB of {size} GB",
            folders=", ".join(map(str, folders)),
            wanted=f"{total / GIGABYTE:.1f}",
            size=f"{space.size / GIGABYTE:.1f}",
        )
        if total > space.size:
            remedy = tell("Lower them in gateway.yaml (keep, bus), or telemetry will have to wait one day.")
            yield Finding("warning", what, remedy)
        else:
            yield Finding("good", what)
    if config.data.exists():
        state = DiskWatch.measured(config.data, disk.others, limits)
        if (problem := state.problem) is not None:
            yield Finding("warning" if state.room is Room.ALARMS else "bad", translate(problem))


def check_influx(settings: InfluxSettings) -> Iterator[Finding]:
    """Whether it answers, agrees on the time, and lets this user write."""
    yield from asyncio.run(_influx(settings))


async def _influx(settings: InfluxSettings) -> list[Finding]:
    found: list[Finding] = []
    client = InfluxClient(settings)
    try:
        before = time.time()
        version, date = await client.ping()
        took = time.time() - before
        found.append(
            Finding(
                "good",
                tell(
                    "InfluxDB {version} answers in {ms} ms", version=version or "?", ms=f"{took * 1000:.0f}"
                ),
            )
        )
        if date and abs(offset := parsedate_to_datetime(date).timestamp() - before) > CLOCK_OFF_SECONDS:
            found.append(
                Finding(
                    "warning",
                    tell("its clock differs from ours by {seconds} s", seconds=f"{offset:+.0f}"),
                    tell("Run an NTP client on both machines."),
                )
            )
        before = time.monotonic()
        written = await client.write(_NOTHING)
        if written.verdict is Written.WRITTEN:
            good = tell(
                "the user may write to database {database}, which takes {ms} ms",
                database=settings.database,
                ms=f"{(time.monotonic() - before) * 1000:.0f}",
            )
            found.append(Finding("good", good))
        else:
            found.append(Finding("bad", written.refusal.reason))
        found += await _policies(client)
        found += await _series(client)
    except DatabaseMissing as error:
        remedy = tell("It is made with the first reading, if the user may.")
        found.append(Finding("warning", translate(error.message), remedy))
    except StoreUnavailable as error:
        found.append(Finding("bad", translate(error.message)))
    except httpx.HTTPError as error:
        found.append(Finding("bad", str(error)))
    finally:
        await client.close()
    return found


async def _policies(client: InfluxClient) -> list[Finding]:
    """Whether there is a place for roll-ups, alarms and cases."""
    table = f"{identifier(client.settings.database)}.{identifier(RECORDS)}.{identifier(RESOLUTION)}"
    remedy = tell("Run: gridwarden influx setup --url {url}", url=client.settings.url)
    try:
        (result,) = await client.query(f'SELECT "policy" FROM {table}')  # noqa: S608
    except NotSetUp as error:
        return [Finding("warning", translate(error.message), remedy)]
    except (QueryFailed, StoreUnavailable):
        return []
    if result.get("series"):
        return [Finding("good", tell("alarms, cases and roll-ups have their retention policies"))]
    what = tell(
        "database {database} does not say which policy suits which time", database=client.settings.database
    )
    return [Finding("warning", what, remedy)]


async def _series(client: InfluxClient) -> list[Finding]:
    """How many series there are; nothing where the user may not ask, or the server knows no such question."""
    database = identifier(client.settings.database)
    before = time.monotonic()
    try:
        (result,) = await client.query(f"SHOW SERIES CARDINALITY ON {database}")
        ((count,),) = result["series"][0]["values"]
    except (QueryFailed, StoreUnavailable, *UNREADABLE):
        return []
    what = tell(
        "{count} series, as it answers in {ms} ms",
        count=f"{count:,}",
        ms=f"{(time.monotonic() - before) * 1000:.0f}",
    )
    if count < _MANY_SERIES:
        return [Finding("good", what)]
    remedy = tell(
        "InfluxDB 1.x refuses new ones from {most} on: raise max-series-per-database.", most=f"{_MOST:,}"
    )
    return [Finding("warning", what, remedy)]
