"""InfluxDB: how fast readings are written, what they take on disk, and how fast dashboards are answered.

Against the InfluxDB 1.x that is installed, started for the time of the measurement with its files in a
temporary folder. The week is compressed: 20,000 devices say everything they can every half hour, written as
fast as it goes.
"""

import asyncio
import shutil
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from bench.community import VALUES, write_site
from bench.figures import CannotMeasure, Conditions, Figure, Goal
from bench.servers import answers, running, wait_for
from dashboards.boards import BOARDS
from dashboards.context import Context
from dashboards.documents import document
from dashboards.expansion import View, queries, variables
from ingest.stores.influx import InfluxStore
from ingest.stores.influx_answers import Verdict
from ingest.stores.influx_client import InfluxClient, InfluxSettings, NoAnswer
from ingest.stores.influx_policies import Retention
from ingest.stores.influx_rollup import LEVELS, Level, RollUp
from ingest.stores.influx_setup import make_database
from ingest.stores.line_protocol import LineEncoder
from readings import Lane, Reading, ReadingBatch
from readings.measurements import HOUR, RAW
from registry.device_types import Kind, Point
from registry.site import Site
from simulators.device import SimulatedDevice, spoken
from supervision.ports import free_ports

SECOND: Final = 1_000_000_000
HALF_HOUR: Final = 1800 * SECOND
WEEK: Final = 7 * 86_400 * SECOND
_ROLLED: Final = 6 * 3600 * SECOND
"""Whose roll-ups are made and timed."""
DEVICES: Final = 20_000
DATABASE: Final = "gridwarden"
_BATCH: Final = 100
"""Readings of one batch, as edges send them."""
_WRITES: Final = 40
_LINES: Final = 5_000
_ROUNDS: Final = 3
_AGAIN: Final = 3
_STILL: Final = 10.0
_PATIENCE: Final = 180.0


async def write(conditions: Conditions) -> list[Figure]:
    """The writer's own path, from batches to acknowledged points, as the ingest process drives it."""
    site = write_site(conditions.folder / "site", conditions.devices, 0, "mqtt://127.0.0.1:1883")
    async with _server(conditions.folder) as settings:
        store = InfluxStore(settings, site, conditions.folder / "books.db")
        conditions.tell("one reading a point")
        alone, readings_alone = await _written(store, site, conditions.seconds / 2, alone=True)
        conditions.tell("the server alone")
        taken = await _taken(settings, site, store.limits.readings, conditions.seconds / 4)
        conditions.tell("readings of a device share a point")
        shared, readings = await _written(store, site, conditions.seconds / 2, alone=False)
        await store.close()
    return [
        Figure(
            "influx-write", "points written by one process", alone, "/s", Goal(250_000, "at least"),
            f"{readings_alone:.1f} reading a point",
        ),
        Figure("influx-write", "points the server takes, already encoded", taken, "/s"),
        Figure("influx-write", "the writer's share of that", 100 * alone / taken, "%"),
        Figure(
            "influx-write", "readings written by one process", shared * readings, "/s",
            note=f"{readings:.1f} readings a point",
        ),
    ]  # fmt: skip


async def _written(store: InfluxStore, site: Site, seconds: float, *, alone: bool) -> tuple[float, float]:
    """Points a second (the median of rounds), and readings a point."""
    groups = [*_groups(site, store.limits.readings, alone=alone)]
    encoder = LineEncoder(site)
    lines = sum(len(encoder.lines(batch.readings)) for group in groups for batch in group)
    readings = sum(len(batch.readings) for group in groups for batch in group)

    def fresh(number: int) -> Awaitable[None]:
        return _all_written(store, [_shifted(group, number + 1_000 * alone) for group in groups])

    return await _rate(lines, seconds, fresh), readings / lines


async def _rate(points: int, seconds: float, prepared: Callable[[int], Awaitable[None]]) -> float:
    """Points a second, the median of rounds without the first, which makes the database and its series.

    What `prepared` does before there is something to await is not timed.
    """
    rates: list[float] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until or len(rates) < _ROUNDS:
        work = prepared(len(rates) + 1)
        began = time.perf_counter()
        await work
        rates.append(points / (time.perf_counter() - began))
    return statistics.median(rates[1:])


async def _all_written(store: InfluxStore, groups: Sequence[Sequence[ReadingBatch]]) -> None:
    """Write as `ingest.writer` does: as many writes under way as the store likes, the next when one ends."""
    free = asyncio.Semaphore(store.limits.in_flight)
    async with asyncio.TaskGroup() as writes:
        for group in groups:
            await free.acquire()
            write = writes.create_task(store.write(group, time.time_ns()))
            write.add_done_callback(lambda _: free.release())


async def _taken(settings: InfluxSettings, site: Site, most: int, seconds: float) -> float:
    """Points a second (the median of rounds) that the server takes from who has only to send them."""
    encoder, client = LineEncoder(site), InfluxClient(settings)
    groups = [*_groups(site, most, alone=True)]
    sets = [[line for batch in group for line in encoder.lines(batch.readings)] for group in groups]
    bodies = [b"\n".join(lines) for lines in sets]

    async def send(_: int) -> None:
        for at in range(0, len(bodies), 2):
            await asyncio.gather(*(client.write(body) for body in bodies[at : at + 2]))

    rate = await _rate(sum(map(len, sets)), seconds, send)
    await client.close()
    return rate


async def week(conditions: Conditions) -> list[Figure]:
    """A week of 20,000 devices: size on disk, and dashboards from readings and from roll-ups."""
    conditions.tell("writing the community")
    site = write_site(conditions.folder / "site", DEVICES, 0, "mqtt://127.0.0.1:1883")
    async with _server(conditions.folder) as settings:
        client = InfluxClient(settings)
        await make_database(client, Retention.of(raw=0))
        end = time.time_ns() // HALF_HOUR * HALF_HOUR
        took, readings = await _fill(client, site, end, conditions)
        raw = await _settled(conditions)
        hour = LEVELS[-1]
        rollup, began = _Repeated(client, site), time.perf_counter()
        conditions.tell("roll-ups of an hour")
        await rollup.make(hour, ((end - _ROLLED) // hour.width * hour.width, _ROLLED // hour.width))
        rolling = time.perf_counter() - began
        await rollup.repeat(hour)
        figures = [
            Figure(
                "influx-week",
                "readings written",
                readings / took,
                "/s",
                note=f"{readings:,} of {DEVICES:,} devices",
            ),
            Figure("influx-week", "size on disk of a reading", raw / readings, "B", note="compacted"),
            Figure("influx-week", "roll-ups of six hours", rolling, "s"),
        ]
        for policy in (RAW, HOUR):
            conditions.tell(f"dashboards from {policy}")
            figures += await _dashboards(client, site, end, policy)
        await client.close()
    return figures


class _Repeated(RollUp):
    """Rolls up some hours; `repeat` writes them as all others of the week: there are as many of them."""

    def __init__(self, client: InfluxClient, site: Site) -> None:
        super().__init__(client, site)
        self._written: list[Sequence[str]] = []

    async def _write(self, level: Level, lines: Sequence[str]) -> None:
        self._written.append(lines)
        await super()._write(level, lines)

    async def repeat(self, level: Level) -> None:
        """Write what was written once more for each of the other hours of the week."""
        for back in range(_ROLLED, WEEK, _ROLLED):
            for lines in self._written:
                await super()._write(level, [_earlier(line, back) for line in lines])


def _earlier(line: str, by: int) -> str:
    rest, _, moment = line.rpartition(" ")
    return f"{rest} {int(moment) - by}"


async def _fill(client: InfluxClient, site: Site, end: int, conditions: Conditions) -> tuple[float, int]:
    """Write the week; seconds and readings."""
    encoder = LineEncoder(site)
    said = [*_said(site, encoder)]
    each = sum(count for _, count in said)
    writing = 0.0
    moments = range(end - WEEK, end, HALF_HOUR)
    for number, moment in enumerate(moments):
        if number % 24 == 0:
            conditions.tell(f"day {number // 48 + 1}")
        lines = [
            f"{texts[(number + place) % VALUES]} {moment + place}" for place, (texts, _) in enumerate(said)
        ]
        bodies = ["\n".join(lines[at : at + _LINES]).encode() for at in range(0, len(lines), _LINES)]
        began = time.perf_counter()
        for at in range(0, len(bodies), 2):
            outcomes = await asyncio.gather(*(client.write(body) for body in bodies[at : at + 2]))
            if any(outcome.verdict is not Verdict.WRITTEN for outcome in outcomes):
                raise CannotMeasure(f"InfluxDB refuses: {outcomes[0].refusal.reason}")
        writing += time.perf_counter() - began
    return writing, each * len(moments)


async def _dashboards(client: InfluxClient, site: Site, end: int, policy: str) -> list[Figure]:
    """How long the panels take that ask for readings, with everything chosen and with one grid of level 2."""
    grid = next(grid for grid in site.grids.values() if grid.level == 2)
    device = next(iter(site.devices.values()))
    kind = site.type_of(device).device_class
    times: dict[str, list[float]] = {"the whole site": [], "one grid of level 2": []}
    for board in BOARDS:
        page = document(board, Context("en"))
        every = {name: one.get("allValue") or ".*" for name, one in variables(page)}
        for label, chosen in (("the whole site", {}), ("one grid of level 2", {"grid2": [grid.id]})):
            fixed = {"policy": [policy]}
            if board == "device":
                fixed |= {"device": [device.id], "class": [kind]}
            view = View((end - WEEK) // 1_000_000, end // 1_000_000, {**chosen, **fixed}, every)
            for _, _, query in queries(page):
                if (
                    ("$policy" in query) == (policy == HOUR)
                    and "records" not in query
                    and "gridwarden_" not in query
                ):
                    for _ in range(_AGAIN):
                        began = time.perf_counter()
                        with suppress(NoAnswer):  # the longest that anybody waits counts
                            await client.query(view.fill(query))
                        times[label].append((time.perf_counter() - began) * 1e3)
    figures = []
    for label, found in times.items():
        if len(found) > 1:
            cuts = statistics.quantiles(found, n=20)
            note = f"{len(found)} questions of a week"
            what = "readings" if policy == RAW else "roll-ups"
            figures += [
                Figure(
                    "influx-week",
                    f"a panel from {what}, {label}, p50",
                    statistics.median(found),
                    "ms",
                    note=note,
                ),
                Figure("influx-week", f"a panel from {what}, {label}, p95", cuts[18], "ms"),
            ]
    return figures


@asynccontextmanager
async def _server(folder: Path) -> AsyncIterator[InfluxSettings]:
    influxd = shutil.which("influxd", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if influxd is None:
        raise CannotMeasure("no influxd here (Debian package: influxdb)")
    home = folder / "influx"
    home.mkdir()
    port, other = free_ports(2)
    config = home / "influxdb.conf"
    config.write_text(
        f'reporting-disabled = true\nbind-address = "127.0.0.1:{other}"\n'
        f'[meta]\n  dir = "{home}/meta"\n[data]\n  dir = "{home}/data"\n  wal-dir = "{home}/wal"\n'
        # what is written goes to its files soon, so that their size can be told
        '  cache-snapshot-write-cold-duration = "5s"\n  compact-full-write-cold-duration = "10s"\n'
        "  query-log-enabled = false\n[monitor]\n  store-enabled = false\n"
        f'[http]\n  bind-address = "127.0.0.1:{port}"\n  log-enabled = false\n'
    )
    log = home / "log"
    async with running("influxd", [influxd, "-config", str(config)], log) as process:

        async def ready() -> bool:
            return answers(port)

        await wait_for(ready, "InfluxDB answers", 30, process, log)
        yield InfluxSettings(f"http://127.0.0.1:{port}", DATABASE)


def _groups(site: Site, most: int, *, alone: bool) -> Iterator[list[ReadingBatch]]:
    """Batches for `_WRITES` writes of at most `most` readings."""
    readings = [
        Reading(device.id, point.name, value, 0, 0, 0)
        for device in site.devices.values()
        for point, value in _values(site, device.id, 0)
    ]
    at, seq = 0, 0
    for number in range(_WRITES):
        group = []
        for _ in range(most // _BATCH):
            some = [readings[(at + n) % len(readings)] for n in range(_BATCH)]
            at += _BATCH
            seq += 1
            moment = time.time_ns() - HALF_HOUR + number * SECOND
            told = tuple(
                Reading(one.device, one.point, one.value, moment + alone * place, moment, moment)
                for place, one in enumerate(some)
            )
            group.append(ReadingBatch("bench", Lane.TELEMETRY, seq, told))
        yield group


def _shifted(group: Sequence[ReadingBatch], number: int) -> list[ReadingBatch]:
    """The same said again, later: other batches, other times."""
    later = number * 50_000_000
    return [
        ReadingBatch(
            batch.edge,
            batch.lane,
            batch.seq + number * 10_000_000,
            tuple(
                Reading(one.device, one.point, one.value, one.time + later, one.received, one.taken)
                for one in batch.readings
            ),
        )
        for batch in group
    ]


def _values(site: Site, device: str, number: int) -> Iterator[tuple[Point, float | bool]]:
    registered = site.devices[device]
    kind = site.type_of(registered)
    simulated = SimulatedDevice(registered, kind, "bench")
    for point in spoken(kind):
        if point.kind in (Kind.NUMBER, Kind.BINARY):
            value = simulated.value(point.name, number * 86_400 * SECOND // VALUES)
            yield point, float(value) if point.kind is Kind.NUMBER else bool(value)


def _said(site: Site, encoder: LineEncoder) -> Iterator[tuple[list[str], int]]:
    """Per device, lines without their time for `VALUES` moments of a day, and how many readings each
    holds.
    """
    for device in site.devices:
        texts, count = [], 0
        for number in range(VALUES):
            readings = [
                Reading(device, point.name, value, 0, 0, 0) for point, value in _values(site, device, number)
            ]
            if not readings:
                break
            count = len(readings)
            texts.append(encoder.lines(readings)[0].decode().rpartition(" ")[0])
        if texts:
            yield texts, count


async def _settled(conditions: Conditions) -> int:
    """Bytes of the readings' files when the server has compacted them: when they have not changed for a
    while.
    """
    conditions.tell("waiting until InfluxDB has compacted its files")
    home = conditions.folder / "influx"
    size, since, began = -1, time.monotonic(), time.monotonic()
    while time.monotonic() - since < _STILL and time.monotonic() - began < _PATIENCE:
        now = await asyncio.to_thread(_size, home / "data" / DATABASE / RAW)
        if now != size:
            size, since = now, time.monotonic()
        await asyncio.sleep(1)
    return size


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
