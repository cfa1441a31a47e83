"""What the metrics tell besides throughput: the answers of the API, asked at most so often."""

import asyncio
import time
from collections.abc import Iterator
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric

from gateway.api import schemas
from gateway.api.problems import ApiError
from gateway.api.views import Views

LANGUAGE: Final = "en"
SYSTEM_SECONDS: Final = 5.0
BOOKS_SECONDS: Final = 30.0
"""Reading the books is dear; they change slowly."""


class Measured:
    """The newest overview, system page and books; each None until it could be answered."""

    def __init__(self, views: Views) -> None:
        self._views = views
        self._turn = asyncio.Lock()
        self._asked = {"system": 0.0, "books": 0.0}
        self._overview: schemas.OverviewOut | None = None
        self._system: schemas.SystemOut | None = None
        self._books: schemas.BooksOut | None = None

    async def refresh(self) -> None:
        """Ask what is due; what cannot be answered just now is left out rather than told from before."""
        async with self._turn:
            try:
                self._overview = await self._views.overview.show()
            except ApiError:
                self._overview = None
            if self._due("system", SYSTEM_SECONDS):
                self._system = await self._views.system.show(LANGUAGE)
            if self._due("books", BOOKS_SECONDS):
                try:
                    self._books = await self._views.system.books(0, LANGUAGE)
                except ApiError:
                    self._books = None

    def families(self) -> Iterator[Metric]:
        """The gauges, by subject."""
        if self._overview is not None:
            yield from _of_overview(self._overview.totals)
        if self._system is not None:
            yield from _of_system(self._system)
        if self._books is not None:
            yield from _of_books(self._books)

    def _due(self, what: str, seconds: float) -> bool:
        now = time.monotonic()
        if self._asked[what] and now - self._asked[what] < seconds:
            return False
        self._asked[what] = now
        return True


def _of_overview(totals: schemas.Totals) -> Iterator[Metric]:
    alarms = GaugeMetricFamily("gridwarden_alarms_open", "Open alarms.", labels=["severity"])
    for severity, count in totals.alarms.items():
        alarms.add_metric([severity.value], count)
    yield alarms
    yield _gauge(
        "gridwarden_alarms_unacknowledged", "Open alarms that nobody has seen.", totals.unacknowledged
    )
    cases = GaugeMetricFamily(
        "gridwarden_cases_open", "Open cases; some are of several kinds.", labels=["which"]
    )
    cases.add_metric(["all"], totals.cases_open)
    cases.add_metric(["unaccepted"], totals.cases_unaccepted)
    cases.add_metric(["overdue"], totals.cases_overdue)
    yield cases
    yield _gauge("gridwarden_devices", "Devices of the site.", totals.devices)
    yield _gauge("gridwarden_devices_silent", "Devices that are not heard.", totals.silent)


def _of_system(system: schemas.SystemOut) -> Iterator[Metric]:
    queues = GaugeMetricFamily(
        "gridwarden_queue_batches",
        "Batches that a reader has yet to do: waiting (a backlog), or in hand.",
        labels=["queue", "lane", "which"],
    )
    for queue in system.queues:
        queues.add_metric([queue.name, queue.lane.value, "waiting"], queue.waiting)
        queues.add_metric([queue.name, queue.lane.value, "in_hand"], queue.in_hand)
    yield queues
    up = GaugeMetricFamily("gridwarden_edge_up", "1 while an edge is heard.", labels=["edge"])
    waiting = GaugeMetricFamily("gridwarden_edge_waiting_batches", "Batches in an outbox.", labels=["edge"])
    offset = GaugeMetricFamily(
        "gridwarden_edge_clock_offset_seconds", "An edge's clock against the bus's.", labels=["edge"]
    )
    for edge in system.edges:
        up.add_metric([edge.id], float(edge.link))
        if edge.waiting_batches is not None:
            waiting.add_metric([edge.id], edge.waiting_batches)
        if edge.clock_offset_seconds is not None:
            offset.add_metric([edge.id], edge.clock_offset_seconds)
    yield from (up, waiting, offset)
    memory = GaugeMetricFamily("gridwarden_memory_bytes", "Resident memory.", labels=["process"])
    for process in system.processes:
        memory.add_metric([process.name], process.memory_bytes)
    yield memory
    yield _gauge("gridwarden_quarantine_entries", "Samples and readings in quarantine.", system.quarantined)


def _of_books(books: schemas.BooksOut) -> Iterator[Metric]:
    samples = GaugeMetricFamily(
        "gridwarden_books_samples",
        "Where what the edges took is now; taken is all of it.",
        labels=["account"],
    )
    for account in (
        "taken", "waiting", "in_stream", "stored", "expired", "quarantined", "duplicates", "thinned", "lost",
    ):  # fmt: skip
        samples.add_metric([account], getattr(books, account))
    yield samples
    yield _gauge("gridwarden_books_balanced", "1 while every account balances.", float(books.balanced))


def _gauge(name: str, text: str, value: float) -> Metric:
    family = GaugeMetricFamily(name, text)
    family.add_metric([], value)
    return family
