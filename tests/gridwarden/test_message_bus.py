"""The bus of ``gridwarden up`` on a disk that gets full."""

import asyncio
from pathlib import Path

from chaos.small_disk import MEGABYTE, small_disk
from gridwarden.message_bus import MessageBus
from ingest.bus import Bus, BusUnavailable
from readings import Lane, wire
from readings.subjects import message_id, samples_subject
from tests.conftest import free_port
from tests.ingest.world import batch, eventually, sample


async def test_a_bus_that_met_a_full_disk_is_started_again_when_there_is_room(tmp_path: Path) -> None:
    told: list[str] = []
    with small_disk(tmp_path / "disk", 40 * MEGABYTE) as disk:
        keeper = MessageBus(
            disk.folder / "nats", tmp_path / "secrets", free_port(), 0, tmp_path / "nats.log", told.append
        )
        keeper.start()
        server = keeper.server
        try:
            async with await Bus.connect(server.url, server.credentials("core")) as bus:
                await bus.ensure_streams()
                seq = 0

                async def publish() -> None:
                    nonlocal seq
                    one = batch(seq + 1, [sample("smoke-1", "battery", n) for n in range(500)])
                    identity = message_id(one.edge, one.lane, one.seq)
                    await bus.publish(samples_subject(one.edge, Lane.TELEMETRY), wire.encode(one), identity)
                    seq += 1

                async def publishes() -> bool:
                    try:
                        await publish()
                    except BusUnavailable:
                        return False
                    return True

                for _ in range(50):
                    await publish()
                before = server.pid
                disk.fill()
                while await publishes():
                    pass
                acknowledged = seq
                await asyncio.sleep(5)
                assert server.pid == before  # without room it would only fall ill again
                disk.clear()
                await eventually(lambda: server.pid not in (None, before), "the server is started again", 40)
                await eventually(publishes, "it takes messages again", 40)
                info = await bus.jetstream.stream_info("SAMPLES_TELEMETRY")
                assert info.state.messages == seq > acknowledged
        finally:
            await keeper.stop()
    assert any("no space left" in line for line in told)
