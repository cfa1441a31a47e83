"""A sender of MQTT messages with a journal: ``python -m chaos.senders.mqtt ORDER.json [--nothing-new]``.

Publishes with QoS 1 at a rate, comes back when the broker was away, sends again what was not acknowledged,
and ends once everything is (SIGTERM or ``--nothing-new``: nothing new from now on). Killed and started again
it goes on where its journal ends.
"""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import uvloop

from chaos.journal import Journal
from chaos.senders.speech import Choir, DeviceClock, Voice, load, payload, words
from simulators.mqtt_frames import connect, publish, read_packets

BURST: Final = 200
"""Messages written down and sent together."""
_PUBACK: Final = 0x40
PATIENCE: Final = 15.0
"""Seconds without any acknowledgement after which the connection counts as dead."""
_RETRY: Final = 0.3


@dataclass(frozen=True, slots=True)
class Order:
    """What to do."""

    name: str
    port: int
    """The broker's, on this machine."""
    choir: str
    """File of the `speech.Choir`."""
    journal: str
    rate: float
    """Messages a second; 0 means as fast as they are acknowledged."""
    messages: int = 0
    """End after so many; 0 means on SIGTERM."""
    times: int = 1
    """Every message is sent so many times."""
    in_flight: int = 1_000


class Sender:
    """The sender; `run` ends when everything is acknowledged."""

    def __init__(self, order: Order, choir: Choir, journal: Journal) -> None:
        self._order = order
        self._choir = choir
        self._journal = journal
        self._topics = [voice.topic.encode() for voice in choir.voices]
        self._clock = DeviceClock()
        self._stopping = asyncio.Event()
        self._unheard = {n: payload(self._voice(n), said) for n, said in journal.unheard().items()}
        """Message number → payload, oldest first."""
        self._packets: dict[int, int] = {}
        """Packet identifier → message number, on this connection."""
        self._copies: dict[int, int] = {}
        """Message number → copies that are not acknowledged, on this connection."""
        self._heard: list[int] = []
        self._identifier = 0
        self._news = asyncio.Event()
        self._last_heard = 0.0

    def stop(self) -> None:
        """Say nothing new."""
        self._stopping.set()
        self._news.set()

    async def run(self) -> None:
        """Send until done."""
        while not self._done():
            try:
                await self._one_connection()
            except (OSError, TimeoutError, StopAsyncIteration):
                await asyncio.sleep(_RETRY)

    def _done(self) -> bool:
        wanted = self._order.messages
        ending = self._stopping.is_set() or (wanted and self._journal.next >= wanted)
        return bool(ending) and not self._unheard

    async def _one_connection(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._order.port)
        try:
            writer.write(connect(self._order.name, None, None))
            packets = read_packets(reader)
            async with asyncio.timeout(PATIENCE):
                kind, body = await anext(packets)
            if kind != 0x20 or body[1] != 0:
                raise ConnectionError("the broker refused the connection")
            self._packets.clear()
            self._copies.clear()
            self._last_heard = time.monotonic()
            listening = asyncio.create_task(self._listen(packets))
            talking = asyncio.create_task(self._talk(writer))
            done, rest = await asyncio.wait({listening, talking}, return_when=asyncio.FIRST_COMPLETED)
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)
            for task in done:
                task.result()
            writer.write(b"\xe0\x00")
        finally:
            writer.close()

    async def _listen(self, packets: AsyncIterator[tuple[int, bytes]]) -> None:
        soon = asyncio.get_running_loop().call_soon
        async for kind, body in packets:
            if kind != _PUBACK:
                continue
            number = self._packets.pop(int.from_bytes(body[:2], "big"), None)
            if number is None:
                continue
            self._copies[number] -= 1
            if not self._copies[number]:
                del self._copies[number]
                if not self._heard:
                    soon(self._write_down)  # after everything that came with it
                self._heard.append(number)
        raise ConnectionError("the broker closed the connection")

    def _write_down(self) -> None:
        heard, self._heard = self._heard, []
        self._last_heard = time.monotonic()
        self._journal.hear(heard)
        for number in heard:
            self._unheard.pop(number, None)
        self._news.set()

    async def _talk(self, writer: asyncio.StreamWriter) -> None:
        await self._repeat_unheard(writer)
        order, journal = self._order, self._journal
        began, sent = time.monotonic(), 0
        while not self._done():
            if self._unheard and time.monotonic() - self._last_heard > PATIENCE:
                raise ConnectionError("the broker acknowledges nothing more")
            room = order.in_flight // order.times - len(self._unheard)
            due = int((time.monotonic() - began) * order.rate) - sent + 1 if order.rate else room
            count = min(room, due, BURST)
            if order.messages:
                count = min(count, order.messages - journal.next)
            if self._stopping.is_set() or count <= 0:
                await self._wait(1.0 if room <= 0 or self._stopping.is_set() else 0.005)
                continue
            fresh = range(journal.next, journal.next + count)
            said = {n: words(self._voice(n), n, self._clock()) for n in fresh}
            journal.say(said)
            if order.times > 1:
                journal.say_again(n for n in fresh for _ in range(order.times - 1))
            for number, values in said.items():
                self._unheard[number] = payload(self._voice(number), values)
            await self._send(writer, fresh)
            sent += count
            if not self._unheard:
                self._last_heard = time.monotonic()

    async def _repeat_unheard(self, writer: asyncio.StreamWriter) -> None:
        waiting = [*self._unheard]
        for first in range(0, len(waiting), BURST):
            some = waiting[first : first + BURST]
            self._journal.say_again(n for n in some for _ in range(self._order.times))
            await self._send(writer, some)

    async def _send(self, writer: asyncio.StreamWriter, numbers: Iterable[int]) -> None:
        frames = []
        for number in numbers:
            topic, body = self._topics[number % len(self._topics)], self._unheard[number]
            self._copies[number] = self._order.times
            frames += [publish(topic, body, self._packet(number)) for _ in range(self._order.times)]
        writer.write(b"".join(frames))
        await writer.drain()

    def _packet(self, number: int) -> int:
        """A packet identifier that is not under way."""
        while True:
            self._identifier = self._identifier % 65_535 + 1
            if self._identifier not in self._packets:
                self._packets[self._identifier] = number
                return self._identifier

    async def _wait(self, limit: float) -> None:
        self._news.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit):
                await self._news.wait()

    def _voice(self, number: int) -> Voice:
        return self._choir.voices[number % len(self._choir.voices)]


async def _main(order: Order, *, say_nothing_new: bool) -> None:
    found = load(Path(order.choir))
    with Journal(Path(order.journal), found.series) as journal:
        sender = Sender(order, found, journal)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, sender.stop)
        if say_nothing_new:
            sender.stop()
        await sender.run()


if __name__ == "__main__":
    told = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Order)
    uvloop.run(_main(told, say_nothing_new="--nothing-new" in sys.argv))
