"""The normaliser and the embedded writer as a process of their own, killed where the test says.

``python room_process.py URL FOLDER WHERE NTH [retry]``: WHERE is one of `PLACES` or, with ``retry``, of
`RETRY_PLACES`; the NTH time it gets there the process kills itself as a power cut would. ``-`` runs until it
is ended. ``retry`` knows one device more and tries everything in quarantine again.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from ingest import quarantine_service
from ingest.bus import Bus
from ingest.consumer import Delivery
from ingest.ledger import Ledger
from ingest.quarantine import Selection
from ingest.quarantine_keepers import LedgerKeeper
from ingest.quarantine_service import QuarantineService
from ingest.service import NormaliserService
from ingest.stores.embedded import EmbeddedStore
from ingest.writer import WriterService
from tests.ingest.world import device, small_site

PLACES = (
    "before ledger commit",
    "after ledger commit",
    "before store commit",
    "after store commit",
    "acknowledging",
)
RETRY_PLACES = ("before settling", "after settling", "before forgetting", "after forgetting")
"""A step of a retry is committed (settled), sent, and forgotten."""


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
    around(Ledger, "settle", "settling")
    around(Ledger, "sent", "forgetting")
    acknowledge = Delivery.ack

    async def ack(self: Delivery) -> None:
        if where == "acknowledging":
            die()
        await acknowledge(self)

    Delivery.ack = ack  # type: ignore[method-assign]  # the test's way to choose the moment


async def main(url: str, folder: Path, *, retry: bool) -> None:
    bus = await Bus.connect(url)
    writer = WriterService(bus, EmbeddedStore(folder / "readings.db"))
    await writer.prepare()
    site = small_site(device("stranger", "z2m-smoke")) if retry else small_site()
    ledger = Ledger(folder / "ledger.db")
    normaliser = NormaliserService(bus, ledger, site)
    keeper = LedgerKeeper(bus, ledger, lambda: site)
    quarantine = QuarantineService([keeper])
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(normaliser.run())
        tasks.create_task(writer.run())
        tasks.create_task(quarantine.run())
        if retry:
            await quarantine.begin("retry", Selection(), "c1", "")


if __name__ == "__main__":
    kill_at(sys.argv[3], int(sys.argv[4]))
    quarantine_service._STEP_ROWS = 40  # so that a retry has many steps
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), retry="retry" in sys.argv[5:]))
