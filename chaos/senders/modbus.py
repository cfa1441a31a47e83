"""Modbus devices on serial lines, with a journal: ``python -m chaos.senders.modbus SITE EDGE LINES JOURNAL``.

They answer until SIGTERM. Nobody acknowledges the answer to a poll, but who still polls `COMMITTED` seconds
later, and has not paused for as long as it would take to be started again, has committed it. Everything else
was said, and may be stored or not.
"""

import asyncio
import contextlib
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from chaos.journal import Journal, Said, Series
from registry.devices import Connection
from registry.loading import load_site
from registry.site import Site
from simulators.clock import Clock
from simulators.device import SimulatedDevice
from simulators.modbus_line import ModbusLine
from simulators.record import Sent
from simulators.wires import line_name

COMMITTED: Final = 1.0
PAUSE: Final = 0.3
"""Less than a process takes to start, and than a master waits for an answer before it asks again."""
DRIVER: Final = "modbus-rtu"


class Listener:
    """Writes down what the lines of an edge say, and concludes what its edge has committed."""

    def __init__(
        self, journal: Journal, series: Sequence[Series], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._journal = journal
        self._numbers = {(one.device, one.point): number for number, one in enumerate(series)}
        self._clock = clock
        self._said: deque[tuple[float, int]] = deque()
        """(when, message), since the last pause."""
        self._last = 0.0

    def write(self, sent: Sent) -> None:
        """`sent` is about to be said."""
        now, number = self._clock(), self._journal.next
        if now - self._last > PAUSE:
            self._said.clear()
        self._last = now
        series = self._numbers[sent.device, sent.point]
        self._journal.say({number: [Said(series, 0, sent.value)]})
        self._said.append((now, number))
        committed = []
        while now - self._said[0][0] > COMMITTED:
            committed.append(self._said.popleft()[1])
        if committed:
            self._journal.hear(committed)


def lines_of(site: Site, edge: str) -> list[Connection]:
    """The serial lines of `edge`."""
    return [wire for wire in site.edges[edge].connections if wire.driver == DRIVER]


def series_of(site: Site, edge: str) -> list[Series]:
    """Every point of every device on the serial lines of `edge`."""
    lines = {wire.id for wire in lines_of(site, edge)}
    return [
        Series(edge, f"{device.connection}/{device.address}", point.native, device.id, point.name, point.lane)
        for device in site.devices.values()
        if device.edge == edge and device.connection in lines
        for point in site.types[device.type].points
    ]


async def _main(site: Site, edge: str, folder: Path, journal: Journal) -> None:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    listener = Listener(journal, series_of(site, edge))
    async with asyncio.TaskGroup() as lines:
        for wire in lines_of(site, edge):
            devices = [
                SimulatedDevice(device, site.types[device.type])
                for device in site.devices.values()
                if device.edge == edge and device.connection == wire.id
            ]
            line = ModbusLine(folder / line_name(edge, wire), devices, clock=Clock(), record=listener)
            lines.create_task(line.run(), name=wire.id)


if __name__ == "__main__":
    loaded = load_site(Path(sys.argv[1])).site
    assert loaded is not None
    with (
        Journal(Path(sys.argv[4]), series_of(loaded, sys.argv[2])) as written,
        contextlib.suppress(asyncio.CancelledError),
    ):
        asyncio.run(_main(loaded, sys.argv[2], Path(sys.argv[3]), written))
