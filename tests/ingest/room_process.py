"""The normaliser and the embedded writer as a process of their own, killed where the test says.

``python room_process.py URL FOLDER WHERE NTH``: WHERE is one of `PLACES`; the NTH time it gets there the
process kills itself as a power cut would. ``-`` runs until it is ended.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from ingest.bus import Bus
from ingest.consumer import Delivery
from ingest.ledger import Ledger
from ingest.service import NormaliserService
from ingest.stores.embedded import EmbeddedStore
from ingest.writer import WriterService
from tests.ingest.world import small_site

PLACES = (
    "before ledger commit",
    "after ledger commit",
    "before store commit",
    "after store commit",
    "acknowledging",
)


def kill_at(where: str, nth: int) -> None:
    """Put the end of the process before or after the methods that matter."""
    reached = 0

    def die() -> None:
        nonlocal reached
        reached += 1
        if reached == nth:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(owner: Any, name: str, place: str) -> None:
        method = getattr(owner, name)

        def wrapped(*args: Any, **keywords: Any) -> Any:
            if where == f"before {place}":
                die()
            result = method(*args, **keywords)
            if where == f"after {place}":
                die()
            return result

        setattr(owner, name, wrapped)

    around(Ledger, "commit", "ledger commit")
    around(EmbeddedStore, "write_now", "store commit")
    acknowledge = Delivery.ack

    async def ack(self: Delivery) -> None:
        if where == "acknowledging":
            die()
        await acknowledge(self)

    Delivery.ack = ack  # type: ignore[method-assign]  # the test's way to choose the moment


async def main(url: str, folder: Path) -> None:
    bus = await Bus.connect(url)
    writer = WriterService(bus, EmbeddedStore(folder / "readings.db"))
    await writer.prepare()
    normaliser = NormaliserService(bus, Ledger(folder / "ledger.db"), small_site())
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(normaliser.run())
        tasks.create_task(writer.run())


if __name__ == "__main__":
    kill_at(sys.argv[3], int(sys.argv[4]))
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
