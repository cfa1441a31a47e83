"""From a published sample batch to rows in a store, over a real NATS server."""

from pathlib import Path

from ingest.bus import Bus
from ingest.stores.embedded import EmbeddedStore
from ingest.stores.embedded_reader import EmbeddedHistory
from ingest.stores.memory import MemoryStore
from ingest.streams import StreamMismatch
from language import Message
from readings import Lane, wire
from registry.site import Site
from tests.ingest.world import NOW, SECOND, Room, batch, eventually, quarantined, sample, send


async def test_samples_become_stored_readings(bus: Bus, site: Site, tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path / "readings.db")
    async with Room(bus, site, tmp_path, [store]) as room:
        await send(
            bus,
            batch(1, [sample("smoke-1", "battery", 87), sample("smoke-1", "voltage", 3075)]),
            batch(1, [sample("smoke-1", "smoke", value=True)], lane=Lane.ALARM),
        )
        await room.stored(1)
        await room.stored(1, Lane.ALARM)
        history = EmbeddedHistory(tmp_path / "readings.db")
        latest = {(row.device, row.point): row.row.value for row in await history.latest(["smoke-1"])}
        await history.close()
    assert latest == {
        ("smoke-1", "battery"): 87.0,
        ("smoke-1", "voltage"): 3.075,
        ("smoke-1", "smoke"): True,
    }


async def test_streams_are_empty_when_everything_is_stored(bus: Bus, site: Site, tmp_path: Path) -> None:
    async with Room(bus, site, tmp_path, [MemoryStore()]) as room:
        await send(bus, *(batch(seq, [sample("smoke-1", "battery", seq)]) for seq in range(1, 200)))
        await room.stored(199)

        async def empty() -> bool:
            infos = [await bus.jetstream.stream_info(f"{name}_TELEMETRY") for name in ("SAMPLES", "READINGS")]
            return all(info.state.messages == 0 for info in infos)

        await eventually(empty, "streams empty")


async def test_a_store_that_fails_gets_the_same_batches_again(bus: Bus, site: Site, tmp_path: Path) -> None:
    store = MemoryStore()
    store.fail_next = 3
    async with Room(bus, site, tmp_path, [store]) as room:
        await send(bus, *(batch(seq, [sample("smoke-1", "battery", seq, NOW + seq)]) for seq in range(1, 20)))
        await room.stored(19)
    assert [one.seq for one in store.batches.values()] == [*range(1, 20)]


async def test_one_failing_store_does_not_hold_up_the_other(bus: Bus, site: Site, tmp_path: Path) -> None:
    broken, sound = MemoryStore("broken"), MemoryStore("sound")
    broken.fail_next = 10**9
    async with Room(bus, site, tmp_path, [broken, sound]) as room:
        await send(bus, *(batch(seq, [sample("smoke-1", "battery", seq)]) for seq in range(1, 300)))
        await eventually(lambda: len(sound.batches) == 299, "the sound store has everything")
        assert room.writers[0].progress[Lane.TELEMETRY].problem == Message(
            "{reason}", {"reason": "told to fail"}
        )
        broken.fail_next = 0
        await eventually(lambda: len(broken.batches) == 299, "the broken one catches up")


async def test_replayed_batches_are_marked(bus: Bus, site: Site, tmp_path: Path) -> None:
    store = MemoryStore()
    async with Room(bus, site, tmp_path, [store]) as room:
        await send(bus, batch(1, [sample("smoke-1", "battery", 1)]), **{"Gw-Outage": "1"})
        await send(bus, batch(2, [sample("smoke-1", "battery", 2, NOW + SECOND)]))
        await room.stored(2)
    assert [one.replayed for one in store.batches.values()] == [True, False]


async def test_bytes_that_are_no_batch_go_to_quarantine(bus: Bus, site: Site, tmp_path: Path) -> None:
    store = MemoryStore()
    async with Room(bus, site, tmp_path, [store]) as room:
        await bus.publish("samples.0.edge-1.telemetry", b"\x00rubbish", "edge-1:telemetry:1")
        foreign = batch(7, [sample("smoke-1", "battery", 1)], edge="edge-2")
        await bus.publish("samples.0.edge-1.telemetry", wire.encode(foreign), "edge-1:telemetry:2")
        await send(bus, batch(3, [sample("smoke-1", "battery", 1)]))
        await room.stored(1)
        rows = quarantined(tmp_path / "ledger.db")
    assert [(row.entry.edge, row.entry.seq, row.entry.reason) for row in rows] == [
        ("edge-1", 1, "malformed_batch"),
        ("edge-1", 2, "malformed_batch"),
    ]
    assert rows[0].entry.raw == b"\x00rubbish"
    assert "says edge-2/telemetry" in str(rows[1].entry.detail)


async def test_the_normaliser_refuses_to_run_when_nobody_would_keep_the_readings(
    bus: Bus, site: Site, tmp_path: Path
) -> None:
    import pytest

    from ingest.ledger import Ledger
    from ingest.service import NormaliserService

    with pytest.raises(StreamMismatch, match="READINGS_ALARM"):
        await NormaliserService(bus, Ledger(tmp_path / "ledger.db"), site).run()


async def test_what_a_device_said_last_can_be_seen_as_it_came(bus: Bus, site: Site, tmp_path: Path) -> None:
    async with Room(bus, site, tmp_path, [MemoryStore()]) as room:
        await send(
            bus,
            batch(1, [sample("smoke-1", "battery", 88), sample("smoke-1", "voltage", 3075)]),
            batch(2, [sample("smoke-1", "battery", "rubbish", NOW + SECOND)]),
        )
        await room.stored(2)
        found = {last.sample.point: last for last in room.normaliser.last_samples("smoke-1")}
        assert room.normaliser.last_samples("smoke-2") == []
    assert found["voltage"].sample.value == 3075
    assert found["battery"].sample.value == "rubbish", "also what was of no use"
    assert found["battery"].received > NOW
