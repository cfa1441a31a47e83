"""``gridwarden export``, ``import``, ``influx fill``, ``influx compare``: readings from place to place."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from gateway.config import GatewayConfig
from gridwarden.commands.core import config_of
from gridwarden.console_text import say, stop, tell, translate
from ingest.database import StoreUnavailable
from ingest.file_formats import format_of, read_into, sink_into
from ingest.opening import EMBEDDED_FILE, CannotRun, influx_settings
from ingest.stores import History
from ingest.stores.embedded_reader import EmbeddedHistory
from ingest.stores.influx_client import InfluxClient, QueryFailed
from ingest.stores.influx_reader import InfluxHistory
from ingest.transfer import BadFile, InfluxSink, copy, differences, everything
from registry.loading import load_site
from registry.problems import InvalidConfiguration
from registry.site import Site

_TELL_SECONDS: Final = 2.0
_NAMED: Final = 20
"""Series that differ that are named."""


@dataclass(frozen=True)
class Where:
    """Which installation."""

    data: Path
    config: Path | None


@dataclass(frozen=True)
class Extent:
    """Which readings: times as people write them, devices (none: all)."""

    since: str
    until: str
    devices: tuple[str, ...]


class _Place:
    """An installation's site and stores."""

    def __init__(self, config: GatewayConfig, site: Site, stack: AsyncExitStack) -> None:
        self.config = config
        self.site = site
        self._stack = stack

    def embedded(self) -> History:
        """The embedded store, read while it is written."""
        path = self.config.data / EMBEDDED_FILE
        if not path.exists():
            stop(tell("{file} does not exist: this installation has no embedded store.", file=path))
        history = EmbeddedHistory(path)
        self._stack.push_async_callback(history.close)
        return history

    def client(self) -> InfluxClient:
        """The InfluxDB that the installation writes to."""
        if self.config.influx is None:
            stop(
                tell(
                    "This installation writes to no InfluxDB. See: {command}",
                    command="gridwarden influx setup --help",
                )
            )
        client = InfluxClient(influx_settings(self.config.influx))
        self._stack.push_async_callback(client.close)
        return client

    def influx(self) -> History:
        """The same, to be asked."""
        history = InfluxHistory(self.client().settings, self.site)
        self._stack.push_async_callback(history.close)
        return history


def export(file: Path, where: Where, extent: Extent, source: str) -> None:
    """Write readings into a file."""
    if file.exists():
        stop(tell("{file} exists already: name a new file.", file=file))
    _see_what_it_is(file)

    async def work(place: _Place) -> None:
        history = place.influx() if source == "influx" or not place.config.embedded else place.embedded()
        start, end = _times(extent)
        series = await _series(history, extent, start, end)
        total = sum(series.values())
        with sink_into(file, place.site) as sink:
            done = await copy(history, sink, series, start, end, _progress(total))
        say(tell("{file}: {count} readings, {size} MB", file=file, count=f"{done:,}", size=_megabytes(file)))

    _run(where, work)


def import_(file: Path, where: Where) -> None:
    """Write a file's readings to the installation's InfluxDB."""
    _see_what_it_is(file)

    async def work(place: _Place) -> None:
        sink = InfluxSink(place.client(), place.site)
        done = await read_into(file, sink, _progress(0))
        await _finish(sink, done, file.with_name(f"{file.name}.refused"))

    _run(where, work)


def fill(where: Where, extent: Extent) -> None:
    """Copy what the embedded store holds to InfluxDB, while both are written."""

    async def work(place: _Place) -> None:
        history, sink = place.embedded(), InfluxSink(place.client(), place.site)
        start, end = _times(extent)
        series = await _series(history, extent, start, end)
        done = await copy(history, sink, series, start, end, _progress(sum(series.values())))
        await _finish(sink, done, Path("influx-fill.refused"))

    _run(where, work)


def compare(where: Where, extent: Extent) -> bool:
    """Whether embedded store and InfluxDB hold the same, row by row; says where they do not."""
    different = 0

    async def work(place: _Place) -> None:
        nonlocal different
        one, other = place.embedded(), place.influx()
        start, end = _times(extent)
        here, there = await _series(one, extent, start, end), await _series(other, extent, start, end)
        both = {key: count for key, count in {**there, **here}.items() if _known(place.site, *key)}
        if strangers := len({**there, **here}) - len(both):
            say(
                tell(
                    "{count} series of devices that the site does not know are left out.",
                    count=strangers,
                )
            )
        total = sum(count for key, count in here.items() if key in both)
        async for found in differences(one, other, both, start, end, _progress(total)):
            different += 1
            if different <= _NAMED:
                say(
                    tell(
                        "{device} {point}: {rows} {rows|reading|readings} differ, the first at {time}",
                        device=found.device,
                        point=found.point,
                        rows=found.rows,
                        time=_shown(found.time),
                    )
                )
        if different:
            say(tell("{count} of {all} series differ.", count=different, all=len(both)))
        else:
            say(
                tell(
                    "The same: {count} readings of {all} series up to {time}.",
                    count=f"{total:,}",
                    all=len(both),
                    time=_shown(end),
                )
            )

    _run(where, work)
    return bool(different)


def _known(site: Site, device: str, point: str) -> bool:
    registered = site.devices.get(device)
    return registered is not None and site.point(registered, point) is not None


async def _finish(sink: InfluxSink, done: int, refused: Path) -> None:
    say(tell("Making the roll-ups …"))
    await sink.roll_up()
    say(tell("{count} written.", count=f"{done - len(sink.refused):,}"))
    if sink.refused:
        _write(refused, sink.refused)
        say(
            tell(
                "{count} InfluxDB will not take (older than it keeps, or of another type): {file}",
                count=f"{len(sink.refused):,}",
                file=refused,
            )
        )


async def _series(history: History, extent: Extent, start: int, end: int) -> dict[tuple[str, str], int]:
    found = await everything(history, start, end)
    wanted = set(extent.devices)
    unknown = wanted - {device for device, _ in found}
    if unknown:
        stop(tell("no readings of {device} in this time", device=sorted(unknown)[0]))
    return {key: count for key, count in found.items() if not wanted or key[0] in wanted}


def _run(where: Where, work: Callable[[_Place], Coroutine[None, None, None]]) -> None:
    async def run() -> None:
        async with _opened(where) as place:
            await work(place)

    try:
        asyncio.run(run())
    except (StoreUnavailable, BadFile, CannotRun) as error:
        stop(translate(error.message))
    except QueryFailed as error:
        stop(tell("InfluxDB refuses: {reason}", reason=error))
    except OSError as error:
        stop(str(error))


@asynccontextmanager
async def _opened(where: Where) -> AsyncIterator[_Place]:
    try:
        config = config_of(where.data, where.config)
    except InvalidConfiguration as error:
        stop("; ".join(translate(problem.told(problem.short)) for problem in error.problems))
    if config is None:
        stop(tell("{folder} does not exist yet", folder=where.data))
    site = load_site(config.site).site
    if site is None:
        stop(tell("the site folder has errors; see them: gridwarden check {folder}", folder=config.site))
    async with AsyncExitStack() as stack:
        yield _Place(config, site, stack)


def _times(extent: Extent) -> tuple[int, int]:
    """Start and end in ns since 1970 UTC; a time without a zone is the machine's."""
    start = _moment(extent.since) if extent.since else 0
    end = _moment(extent.until) if extent.until else time.time_ns()
    if start >= end:
        stop(tell("from {start} to {end} there is no time", start=extent.since, end=extent.until or "now"))
    return start, end


def _moment(text: str) -> int:
    try:
        return int(datetime.fromisoformat(text).timestamp()) * 1_000_000_000
    except ValueError:
        stop(tell("`{text}` is no time; write it like 2026-11-30 or 2026-11-30T18:00", text=text))


def _see_what_it_is(file: Path) -> None:
    try:
        format_of(file)
    except BadFile as error:
        stop(translate(error.message))


def _megabytes(file: Path) -> str:
    return f"{file.stat().st_size / 1e6:,.1f}"


def _write(file: Path, lines: Sequence[str]) -> None:
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _shown(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1e9, UTC).isoformat(timespec="milliseconds")


def _progress(total: int) -> Callable[[int], None]:
    """Tells how far it is every two seconds."""
    told = time.monotonic()

    def progress(done: int) -> None:
        nonlocal told
        if time.monotonic() - told < _TELL_SECONDS:
            return
        told = time.monotonic()
        if total:
            part = f"{100 * done / total:.0f}"
            say(tell("  {done} of {all} ({part} %)", done=f"{done:,}", all=f"{total:,}", part=part))
        else:
            say(f"  {done:,}")

    return progress
