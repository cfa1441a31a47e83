"""What was recorded goes out again byte by byte, to a real broker and through a real terminal."""

import asyncio
import gzip
import os
import tty
from pathlib import Path

import aiomqtt
import pytest
import serial

from simulators.recording import WireUnavailable, record_traffic, replay_traffic
from simulators.traffic import Heard, NotTraffic, reading, writing

PAYLOADS = [
    ("zigbee2mqtt/kitchen", b'{"smoke":true}', 1, False),
    ("zigbee2mqtt/kitchen", b"", 1, False),
    ("rubbish/\u70df", bytes(range(256)), 0, False),
    ("big", b"x" * 100_000, 1, False),
]


async def recorded(file: Path, broker, act, count: int) -> int:
    """Record `count` messages while `act` sends them."""
    ready = asyncio.Event()
    recording = asyncio.create_task(
        record_traffic(file, broker=broker.url, limit=count, ready=ready, seconds=30)
    )
    await asyncio.wait_for(ready.wait(), 10)
    await act()
    return await recording


async def test_messages_come_back_byte_for_byte_in_their_order(mosquitto_broker, tmp_path):
    first, second = tmp_path / "first.jsonl.gz", tmp_path / "second.jsonl"

    async def send() -> None:
        async with aiomqtt.Client("127.0.0.1", mosquitto_broker.port) as client:
            for topic, payload, qos, retain in PAYLOADS:
                await client.publish(topic, payload, qos=qos, retain=retain)

    async def send_again() -> None:
        assert await replay_traffic(first, broker=mosquitto_broker.url, speed=10) == len(PAYLOADS)

    assert await recorded(first, mosquitto_broker, send, len(PAYLOADS)) == len(PAYLOADS)
    assert await recorded(second, mosquitto_broker, send_again, len(PAYLOADS)) == len(PAYLOADS)
    for file in (first, second):
        assert [(h.topic, h.payload, h.qos, h.retain) for h in reading(file)] == PAYLOADS
    moments = [heard.at for heard in reading(first)]
    assert moments == sorted(moments)


async def test_a_serial_line_is_recorded_and_played_to_whoever_opens_it(tmp_path):
    said = [b"\x02" + b"62E3086C" + b"ED08\x03", b"\xff\x02\x01\x01\x51\xa0", bytes(range(256))]
    master, slave = os.openpty()
    tty.setraw(slave)
    file = tmp_path / "line.jsonl"
    ready = asyncio.Event()
    recording = asyncio.create_task(
        record_traffic(file, port=os.ttyname(slave), limit=len(said), ready=ready, seconds=30)
    )
    await asyncio.wait_for(ready.wait(), 10)
    for piece in said:
        os.write(master, piece)
        await asyncio.sleep(0.05)  # the spacing that keeps the pieces apart
    assert await recording == len(said)
    os.close(master)
    os.close(slave)
    assert b"".join(heard.payload for heard in reading(file)) == b"".join(said)

    port = tmp_path / "replayed"
    replaying = asyncio.create_task(replay_traffic(file, port=port, speed=5))
    while not port.exists():  # noqa: ASYNC110 - a file appears
        await asyncio.sleep(0.01)
    with serial.Serial(str(port), 9600, timeout=10) as line:
        assert await asyncio.to_thread(line.read, sum(map(len, said))) == b"".join(said)
    assert await replaying == len(said)
    assert not port.is_symlink()


async def test_the_spacing_of_a_recording_is_kept(mosquitto_broker, tmp_path):
    file, again = tmp_path / "spaced.jsonl", tmp_path / "again.jsonl"
    with writing(file, begun=0, source="test") as traffic:
        for moment in (0.0, 1.0, 1.5):
            traffic.write(Heard(moment, b"x", "t", 1))

    async def send() -> None:
        await replay_traffic(file, broker=mosquitto_broker.url, speed=5)

    await recorded(again, mosquitto_broker, send, 3)
    # the recording began before the replay did: nothing is heard before its time, however slow the machine
    first, second, third = (heard.at for heard in reading(again))
    assert 0 <= first <= second <= third
    assert second >= 1.0 / 5
    assert third >= 1.5 / 5


async def test_recording_ends_after_its_time_with_a_whole_file(mosquitto_broker, tmp_path):
    file = tmp_path / "none.jsonl.gz"
    assert await record_traffic(file, broker=mosquitto_broker.url, seconds=0.3) == 0
    assert list(reading(file)) == []


async def test_exactly_one_wire_must_be_named(tmp_path):
    with pytest.raises(ValueError, match="one source"):
        await record_traffic(tmp_path / "x")
    with pytest.raises(ValueError, match="one target"):
        await replay_traffic(tmp_path / "x", broker="b", port="p")


async def test_a_wire_that_is_not_there_is_named(tmp_path, unused_tcp_port):
    with pytest.raises(WireUnavailable, match=str(unused_tcp_port)):
        await record_traffic(tmp_path / "x", broker=f"mqtt://127.0.0.1:{unused_tcp_port}")
    with pytest.raises(WireUnavailable, match="nowhere"):
        await record_traffic(tmp_path / "x", port="/dev/nowhere")


def test_a_recording_that_was_cut_off_ends_with_its_last_whole_line(tmp_path):
    whole, cut = tmp_path / "whole.jsonl.gz", tmp_path / "cut.jsonl.gz"
    with writing(whole, begun=0, source="test") as traffic:
        for count in range(2_000):
            traffic.write(Heard(count, os.urandom(40), "t"))
    cut.write_bytes(whole.read_bytes()[:-20_000])
    found = list(reading(cut))
    assert 0 < len(found) < 2_000
    assert found == list(reading(whole))[: len(found)]


@pytest.mark.parametrize(
    "content", [b"", b"not json\n", b'{"format":"x","version":1,"begun":0,"source":""}\n', b"\xff\xfe\n"]
)
def test_another_file_is_refused(tmp_path, content):
    file = tmp_path / "other.jsonl"
    file.write_bytes(content)
    with pytest.raises(NotTraffic):
        list(reading(file))


def test_a_broken_line_is_named(tmp_path):
    file = tmp_path / "broken.jsonl.gz"
    with writing(file, begun=0, source="test") as traffic:
        traffic.write(Heard(0, b"x", "t"))
    text = gzip.decompress(file.read_bytes()) + b'{"at":"soon"}\n'
    file.write_bytes(gzip.compress(text))
    with pytest.raises(NotTraffic, match="line 3"):
        list(reading(file))
