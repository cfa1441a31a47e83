"""How the platform itself is doing: parts, queues, rates, edges, books, quarantine."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import psutil

from gateway.api import schemas
from gateway.api.showing import instant, maybe_instant
from gateway.freshness import Freshness, silent_after
from gateway.ingest_link import IngestLink
from gateway.queues import Queues
from gateway.rates import Rates
from ingest import quarantine_report
from ingest.audit import balance
from ingest.stores import History, LatestRow, StoreUnavailable
from language import N_, Message, Translator
from readings.lanes import Lane
from readings.vocabulary import EDGE_CONNECTION
from registry.devices import Device
from registry.site import Site

PROVABLE_BATCHES: Final = 2000
"""With more batches in the streams, what is in them is concluded from the books' numbers."""


State = Literal["ok", "degraded", "down"]


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the gateway: `trouble` gives the reason why it does not work just now, if it does not."""

    name: str
    trouble: Callable[[], Message | None]
    vital: Callable[[], bool] = lambda: False
    """Whether an alarm cannot become a case without it."""


def always() -> bool:
    """For a part without which nothing works."""
    return True


class Status:
    """Answers for the system page, the health check and the metrics."""

    def __init__(
        self,
        parts: Sequence[Part],
        queues: Queues,
        ingest: IngestLink,
        history: History,
        freshness: Freshness,
        rates: Rates,
        *,
        data: Path,
        edges: Path | None,
        started: int,
        version: str,
    ) -> None:
        self.rates = rates
        self._parts = [*parts]
        self._queues = queues
        self._ingest = ingest
        self._history = history
        self._freshness = freshness
        self._data = data
        self._edges = edges
        self._started = started
        self._version = version
        self._process = psutil.Process()
        self._process.cpu_percent()

    def watch(self, part: Part) -> None:
        """Tell of `part`, too."""
        self._parts.append(part)

    async def run(self) -> None:
        """Count what passes the stages, once a second, until cancelled."""
        before: dict[tuple[int, str, Lane], int] = {}
        while True:
            status = self._ingest.status
            if status is not None:
                counted = {
                    (status.pid, stage, lane): progress.readings
                    for stage, lanes in status.stages.items()
                    for lane, progress in lanes.items()
                }
                for (pid, stage, lane), readings in counted.items():
                    passed = readings - before.get((pid, stage, lane), 0)
                    self.rates.count(stage, lane, passed, time.time_ns())
                before = counted
            await asyncio.sleep(1)

    def components(self, say: Translator) -> list[schemas.Component]:
        """Every part and how it fares."""
        found = []
        for part in self._parts:
            trouble = part.trouble()
            state: State = "ok" if trouble is None else "down" if part.vital() else "degraded"
            detail = say(trouble) if trouble is not None else ""
            found.append(schemas.Component(name=say(part.name), state=state, detail=detail))
        return found

    def health(self, say: Translator) -> schemas.HealthOut:
        """The worst state of all parts."""
        components = self.components(say)
        states = {component.state for component in components}
        worst: State = "down" if "down" in states else "degraded" if "degraded" in states else "ok"
        return schemas.HealthOut(status=worst, components=components)

    def edges_down(self, site: Site, now: int) -> tuple[int, int]:
        """How many edges the site has, and how many of them are not heard."""
        boxes = edge_boxes(site)
        return len(site.edges), sum(not self._heard(site, box, now) for box in boxes.values())

    def _heard(self, site: Site, box: Device, now: int) -> bool:
        last = self._freshness.last(box.id)
        return last is not None and now - last <= silent_after(site.type_of(box))

    async def system(self, site: Site, say: Translator, now: int) -> schemas.SystemOut:
        """The system page."""
        boxes = edge_boxes(site)
        try:
            rows = await self._history.latest([box.id for box in boxes.values()])
        except StoreUnavailable:
            rows = []
        return schemas.SystemOut(
            time=instant(now),
            version=self._version,
            started_at=instant(self._started),
            components=self.components(say),
            queues=[
                schemas.Queue(
                    name=f"{queue.stream} → {queue.reader}",
                    label=say(
                        Message(
                            N_("{what} → {reader}"),
                            {
                                "what": Message(WHAT[queue.reader == "normaliser"]),
                                "reader": Message(PARTS[queue.reader]),
                            },
                        )
                    ),
                    lane=queue.lane,
                    waiting=queue.waiting,
                    in_hand=queue.in_hand,
                )
                for queue in await self._queues.look()
            ],
            rates=[
                schemas.Rate(stage=stage, lane=lane, per_second=rate)
                for (stage, lane), rate in sorted(self.rates.per_second(now).items())
            ],
            edges=[
                self._edge(
                    site,
                    edge,
                    boxes.get(edge),
                    [row for row in rows if row.device == _id(boxes.get(edge))],
                    now,
                )
                for edge in site.edges
            ],
            quarantined=quarantine_report.total(self._data),
            processes=self._processes(),
        )

    def _processes(self) -> list[schemas.ProcessOut]:
        gateway = schemas.ProcessOut(
            name="gateway",
            pid=self._process.pid,
            memory_bytes=self._process.memory_info().rss,
            cpu_percent=self._process.cpu_percent(),
        )
        ingest = self._ingest.status
        if ingest is None:
            return [gateway]
        return [
            gateway,
            schemas.ProcessOut(
                name="ingest",
                pid=ingest.pid,
                memory_bytes=ingest.memory,
                cpu_percent=ingest.cpu_percent,
            ),
        ]

    def _edge(
        self, site: Site, edge: str, box: Device | None, rows: Sequence[LatestRow], now: int
    ) -> schemas.EdgeOut:
        values: Mapping[str, float] = {
            row.point: float(row.row.value) for row in rows if isinstance(row.row.value, int | float)
        }
        waiting = values.get("outbox_batches")
        return schemas.EdgeOut(
            id=edge,
            name=site.edges[edge].name or edge,
            link=box is not None and self._heard(site, box, now),
            last_heard=maybe_instant(self._freshness.last(box.id)) if box is not None else None,
            waiting_batches=None if waiting is None else int(waiting),
            oldest_waiting_seconds=values.get("oldest_waiting_s"),
            clock_offset_seconds=values.get("clock_offset_s"),
            cpu_temperature=values.get("cpu_temperature"),
            disk_free_bytes=values.get("disk_free"),
            devices=sum(1 for _ in site.devices_of(edge)),
        )

    async def books(self, limit: int, say: Translator, now: int) -> schemas.BooksOut:
        """The books, accounts in doubt first; proved by reading the streams where they hold few batches."""
        if await self._queues.waiting() <= PROVABLE_BATCHES:
            books = await self._queues.audit(self._data, self._edges)
        else:
            books = await asyncio.to_thread(balance, self._data, self._edges)
        rows = sorted(books.rows, key=lambda row: (row.difference == 0, row.edge, row.lane, row.source))
        doubt = books.first_difference
        return schemas.BooksOut(
            time=instant(now),
            balanced=books.balanced,
            proved=books.proved,
            taken=sum(row.taken for row in rows),
            waiting=sum(row.waiting for row in rows),
            in_stream=sum(row.in_stream for row in rows),
            stored=sum(row.stored for row in rows),
            expired=sum(row.expired for row in rows),
            quarantined=sum(row.quarantined for row in rows),
            dropped=sum(row.dropped for row in rows),
            duplicates=sum(row.duplicates for row in rows),
            thinned=sum(row.thinned for row in rows),
            lost=sum(row.lost for row in rows),
            first_difference=say(doubt) if doubt is not None else "",
            accounts=len(rows),
            rows=[
                schemas.BookRow(
                    edge=row.edge,
                    lane=row.lane,
                    source=row.source,
                    taken=row.taken,
                    waiting=row.waiting,
                    in_stream=row.in_stream,
                    stored=row.stored,
                    expired=row.expired,
                    quarantined=row.quarantined,
                    dropped=row.dropped,
                    duplicates=row.duplicates,
                    thinned=row.thinned,
                    lost=row.lost,
                    difference=row.difference,
                )
                for row in rows[:limit]
            ],
        )


def edge_boxes(site: Site) -> dict[str, Device]:
    """The devices as which edges report their own health, by edge."""
    return {device.edge: device for device in site.devices.values() if device.connection == EDGE_CONNECTION}


def _id(device: Device | None) -> str:
    return device.id if device is not None else ""


PARTS: Final = {
    "bus": N_("message bus"),
    "normaliser": N_("normaliser"),
    "embedded": N_("embedded store"),
    "influx": N_("InfluxDB"),
    "chronicle": N_("alarms and cases to InfluxDB"),
    "rules": N_("rules and cases"),
    "site": N_("site folder"),
    "disk": N_("room on the disk"),
}
"""What the parts are called."""

WHAT: Final = {True: N_("samples"), False: N_("readings")}
"""What the normaliser reads, and what everybody else does."""
