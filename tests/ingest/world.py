"""A small site, batches for it, and the whole room running on a real bus."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

from ingest import quarantine_table
from ingest.bus import Bus
from ingest.database import reading
from ingest.ledger import Ledger
from ingest.quarantine import QuarantineRow, Selection
from ingest.quarantine_acts import Act, ActKind, Outcome
from ingest.quarantine_acts import read as read_acts
from ingest.quarantine_keepers import Keeper, LedgerKeeper
from ingest.quarantine_service import QuarantineLimits, QuarantineService
from ingest.service import NormaliserService
from ingest.stores import Store
from ingest.stores.influx import InfluxStore
from ingest.writer import WriterService
from readings import Lane, Sample, SampleBatch, Scalar, wire
from readings.subjects import message_id, samples_subject
from registry.device_types import DeviceType, Kind, Point
from registry.devices import Device, EdgeWiring
from registry.grids import Grid, GridKind, Place
from registry.site import Site

NOW = 1_790_000_000_000_000_000
SECOND = 1_000_000_000
ODD_PLACE = "3号楼, 1=东 \U0001f525"

SMOKE = DeviceType(
    id="z2m-smoke",
    device_class="smoke",
    points=(
        Point(name="smoke", kind=Kind.BINARY, lane=Lane.ALARM),
        Point(name="battery", unit="%", minimum=0, maximum=100),
        Point(name="voltage", unit="V", native_unit="mV"),
    ),
)
CLIMATE = DeviceType(
    id="climate",
    device_class="environment",
    points=(
        Point(name="temperature", unit="Cel", minimum=-40, maximum=85, lane=Lane.ALARM),
        Point(name="humidity", unit="%", minimum=0, maximum=100),
        Point(name="mode", kind=Kind.STATE, states={"0": "off", "1": "heat", "cool": "cool"}),
    ),
)
DOOR = DeviceType(
    id="door",
    device_class="door",
    points=(
        Point(name="open", source="contact", kind=Kind.BINARY, invert=True, lane=Lane.ALARM),
        Point(name="event", source="action", kind=Kind.EVENT, lane=Lane.ALARM),
        Point(name="lock", kind=Kind.BINARY, true_when=("UNLOCK", 2)),
    ),
)


def grids() -> list[Grid]:
    name = {"zh": "一号 网格", "en": "Grid 1"}
    return [
        Grid(id="R1", name=name, kind=GridKind.RESIDENTIAL, level=1),
        Grid(id="R1-01", name=name, kind=GridKind.RESIDENTIAL, level=2, parent="R1"),
        Grid(id="R1-01-01", name=name, kind=GridKind.RESIDENTIAL, level=3, parent="R1-01"),
    ]


def device(name: str, kind: str, place: str = "kitchen", edge: str = "edge-1") -> Device:
    return Device(id=name, type=kind, place=place, edge=edge, connection="z2m", address=name)


def small_site(*more: Device) -> Site:
    return Site.of(
        grids=grids(),
        places=[
            Place(id="kitchen", name={"zh": "厨房", "en": "Kitchen"}, grid="R1-01-01"),
            # The registry takes plain ids only; the stores must not depend on that.
            Place.model_construct(id=ODD_PLACE, name={"zh": "东", "en": "East"}, grid="R1-01-01"),
        ],
        types=[SMOKE, CLIMATE, DOOR],
        devices=[
            device("smoke-1", "z2m-smoke"),
            device("smoke-2", "z2m-smoke", ODD_PLACE),
            device("climate-1", "climate"),
            device("door-1", "door"),
            device("smoke-9", "z2m-smoke", edge="edge-2"),
            *more,
        ],
        edges=[EdgeWiring(id="edge-1", connections=()), EdgeWiring(id="edge-2", connections=())],
    )


def sample(
    source: str,
    point: str,
    value: Scalar,
    taken: int = NOW,
    *,
    time: int = 0,
    unit: str = "",
    event: str = "",
) -> Sample:
    return Sample(f"z2m/{source}", point, value, taken, time, unit, event)


def batch(
    seq: int, samples: Iterable[Sample], *, lane: Lane = Lane.TELEMETRY, edge: str = "edge-1"
) -> SampleBatch:
    return SampleBatch(edge, lane, seq, tuple(samples))


async def send(bus: Bus, *batches: SampleBatch, **headers: str) -> None:
    for one in batches:
        await bus.publish(
            samples_subject(one.edge, one.lane),
            wire.encode(one),
            message_id(one.edge, one.lane, one.seq),
            headers,
        )


def quarantined(path: Path, **selection: str) -> list[QuarantineRow]:
    """What a stage's file holds in quarantine, oldest first."""
    with reading(path) as connection:
        return quarantine_table.read(connection, "", Selection(**selection), limit=10**6)


async def eventually(condition: Callable[[], Awaitable[Any] | Any], what: str, limit: float = 20.0) -> None:
    """Poll until `condition` (plain or async) is true."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limit
    while True:
        result = condition()
        if asyncio.iscoroutine(result):
            result = await result
        if result:
            return
        assert loop.time() < deadline, f"not within {limit:g} s: {what}"
        await asyncio.sleep(0.02)


class Room:
    """The normaliser, the quarantine and writers, running."""

    def __init__(
        self,
        bus: Bus,
        site: Site,
        folder: Path,
        stores: Iterable[Store],
        limits: QuarantineLimits | None = None,
    ) -> None:
        self.bus = bus
        self.ledger = Ledger(folder / "ledger.db")
        self.normaliser = NormaliserService(bus, self.ledger, site)
        self.writers = [WriterService(bus, store) for store in stores]
        self.keeper = LedgerKeeper(bus, self.ledger, lambda: site)
        self.keepers: list[Keeper] = [self.keeper]
        self.keepers += [writer.store for writer in self.writers if isinstance(writer.store, InfluxStore)]
        self.quarantine = QuarantineService(self.keepers, limits=limits)
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Room":
        for writer in self.writers:
            await writer.prepare()
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self.ledger.close()
        for writer in self.writers:
            await writer.store.close()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.normaliser.run())
            tasks.create_task(self.quarantine.run())
            for writer in self.writers:
                tasks.create_task(writer.run())

    async def stored(self, batches: int, lane: Lane = Lane.TELEMETRY) -> None:
        for writer in self.writers:
            await eventually(
                lambda writer=writer: writer.progress[lane].batches >= batches or self._failed(),
                f"{batches} batches stored",
            )

    async def act(self, kind: ActKind, note: str = "", **selection: Any) -> Outcome:
        """Have something done with the quarantine and wait until it is."""
        act = await self.quarantine.begin(kind, Selection(**selection), "c1", note)
        await eventually(lambda: self._failed() or self.outcome(act).ended, f"{kind} ended", limit=60)
        return self.outcome(act)

    def outcome(self, act: Act) -> Outcome:
        """How far an act is."""
        outcome = None
        for keeper in self.keepers:
            with reading(keeper.path) as connection:
                for _, found in read_acts(connection, one=act.id):
                    outcome = found if outcome is None else outcome.plus(found)
        assert outcome is not None
        return outcome

    def _failed(self) -> bool:
        if self._task is not None and self._task.done():
            self._task.result()
        return False
