"""A core that can be backed up and put back: normaliser and embedded store on a real bus, no rules."""

import asyncio
import random
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from edge.outbox import Group, Outbox, Stored
from gridwarden.installation import Installation, configured_by
from ingest.audit import Books, audit
from ingest.bus import Bus, BusClosed, BusUnavailable
from ingest.stores.embedded import EmbeddedStore
from ingest.streams import store_consumer
from readings import Lane, Sample
from readings.subjects import message_id, readings_stream, samples_stream, samples_subject
from tests.conftest import NATS_SERVER, ServerProcess, free_port
from tests.ingest.world import SECOND, Room, eventually, sample, small_site

BEGIN = 1_790_000_000_000_000_000


class Core:
    """One place with its own bus; `installation` is what a configuration file says of it."""

    def __init__(self, folder: Path, server: ServerProcess, edges: Path | None = None) -> None:
        self.folder = folder
        self.data = folder / "core"
        self.edges = edges or folder / "edges"
        self.server = server
        self.config = folder / "gateway.yaml"
        document = {
            "site": str(folder / "site"), "data": str(self.data), "edges": str(self.edges),
            "bus": {"url": server.url},
        }  # fmt: skip
        self.config.parent.mkdir(parents=True, exist_ok=True)
        self.config.write_text(yaml.safe_dump(document))

    def write_site(self) -> None:
        (self.folder / "site" / "edges").mkdir(parents=True)
        (self.folder / "site" / "site.yaml").write_text(
            "name: {en: Test}\ntimezone: Asia/Shanghai\nlanguages: [en]\n"
        )
        (self.folder / "site" / "edges" / "edge-1.yaml").write_text("id: edge-1\n")

    @property
    def installation(self) -> Installation:
        return configured_by(self.config)

    def room(self, bus: Bus) -> Room:
        return Room(bus, small_site(), self.data, [EmbeddedStore(self.data / "readings.db")])

    async def settled(self, bus: Bus) -> Books:
        """The audit once nothing is on its way. (Nobody reads for the rules here.)"""

        async def quiet() -> bool:
            for lane in Lane:
                if (await bus.jetstream.stream_info(samples_stream(lane))).state.messages:
                    return False
                reader = await bus.jetstream.consumer_info(readings_stream(lane), store_consumer("embedded"))
                if reader.num_pending or reader.num_ack_pending:
                    return False
            return True

        await eventually(quiet, "all is stored", limit=60)
        return await audit(bus.jetstream, self.data, self.edges)

    def stored(self) -> dict[tuple[str, str, int], object]:
        """Every stored reading: (device, point, time) → value."""
        with closing(sqlite3.connect(self.data / "readings.db")) as connection:
            rows = connection.execute(
                "SELECT device, point, ts, value FROM (SELECT * FROM hot UNION ALL SELECT * FROM"
                " (SELECT ts, sid, value, quality, received, event FROM history)) JOIN series USING (sid)"
            ).fetchall()
        found = {(device, point, ts): value for device, point, ts, value in rows}
        assert len(found) == len(rows)
        return found


class Edge:
    """An edge with a real outbox that takes samples, each at a time of its own, and sends them."""

    def __init__(self, edges: Path, seed: int) -> None:
        edges.joinpath("edge-1").mkdir(parents=True, exist_ok=True)
        self.outbox = Outbox(edges / "edge-1" / "outbox.db", "edge-1")
        self.taken: dict[tuple[str, str, int], object] = {}
        """What must be stored one day: (device, point, time) → value."""
        self.confirmed: set[tuple[str, str, int]] = set()
        """Of these, what the bus has confirmed."""
        self._dice = random.Random(seed)
        self._time = BEGIN

    def take(self) -> list[Stored]:
        """Commit some samples; those that can be sent at once have a number."""
        group: dict[Lane, list[Sample]] = {}
        for lane, point in ((Lane.TELEMETRY, "battery"), (Lane.ALARM, "smoke")):
            for _ in range(self._dice.randrange(1, 12)):
                self._time += SECOND // 1000
                device = self._dice.choice(["smoke-1", "smoke-2"])
                value = self._dice.randrange(101) if point == "battery" else self._dice.random() < 0.5
                group.setdefault(lane, []).append(sample(device, point, value, self._time))
                self.taken[device, point, self._time] = value
        return self.outbox.commit(Group(group), self._time)

    async def send(self, bus: Bus) -> None:
        """Send what waits, in order."""
        for lane in Lane:
            depth = self.outbox.depth[lane]
            for batch in self.outbox.read(lane, depth.stored, 1000):
                await bus.publish(
                    samples_subject("edge-1", lane), batch.payload, message_id("edge-1", lane, batch.seq)
                )
                self.outbox.stored(batch)
                self.confirmed |= _keys(batch)
        self.outbox.trim()

    async def live(self, bus: Bus, until: asyncio.Event) -> None:
        """Take and send until told to stop, or until the bus is gone."""
        while not until.is_set():
            self.take()
            try:
                await self.send(bus)
            except (BusUnavailable, BusClosed):
                return
            await asyncio.sleep(self._dice.random() * 0.01)


def _keys(batch: Stored) -> set[tuple[str, str, int]]:
    from readings import wire

    samples: Sequence[Sample] = wire.decode_samples(batch.payload).samples
    return {(one.source.removeprefix("z2m/"), one.point, one.taken) for one in samples}


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[list[ServerProcess]]:
    """Two NATS servers, one for each place."""
    assert NATS_SERVER is not None
    made = []
    for name in ("here", "there"):
        folder = tmp_path / name / "nats"
        folder.mkdir(parents=True)
        port = free_port()
        (folder / "server.conf").write_text(
            f'host: "127.0.0.1"\nport: {port}\n'
            f'jetstream {{ store_dir: "{folder / "store"}", max_file_store: 8GB, sync_interval: always }}\n'
        )
        made.append(
            ServerProcess(
                [NATS_SERVER, "-c", str(folder / "server.conf")], port, folder, f"nats://127.0.0.1:{port}"
            )
        )
        made[-1].start()
    yield made
    for server in made:
        server.stop()


@pytest.fixture
def here(tmp_path: Path, servers: list[ServerProcess]) -> Core:
    """The place that is backed up."""
    core = Core(tmp_path / "here", servers[0])
    core.write_site()
    return core


@pytest.fixture
def there(tmp_path: Path, servers: list[ServerProcess]) -> Core:
    """An empty place elsewhere."""
    return Core(tmp_path / "there", servers[1])
