"""The message bus of ``gridwarden up``: one NATS server, started again when it ends by itself.

And when it says that it cannot go on: a stream that met a full disk once fails until then.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from gridwarden.console_text import tell, translate
from gridwarden.own_names import own_names
from ingest.bus import Bus, BusUnavailable
from ingest.disk import space_of
from ingest.doorkeeper import Doorkeeper
from ingest.nats_config import ServerPorts
from ingest.nats_files import ServerError
from ingest.nats_server import ROOM_BYTES, NatsServer
from ingest.status import ask
from supervision.ending import end
from supervision.ports import free_ports

LOOK_SECONDS: Final = 0.2
PAUSE_SECONDS: Final = 0.5
PARTITION: Final = 0
LONGEST_PAUSE: Final = 10.0
HEALTH_SECONDS: Final = 1.0
ILL_SECONDS: Final = 3.0
"""It says so long that it cannot go on before it is started again; longer each time."""
LONGEST_ILLNESS: Final = 60.0


class MessageBus:
    """Keeps a NATS server running until it is stopped. Use it from the main thread."""

    def __init__(
        self,
        store: Path,
        secrets: Path,
        port: int,
        mqtt_port: int,
        log: Path,
        say: Callable[[str], None],
        *,
        listen: str = "",
        hand_over: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        """`say` is told when the server ended by itself, and of boxes that come.

        `listen` is the address for edges on other machines, `hand_over` is told of an edge before another
        box becomes it.
        """
        (monitor,) = free_ports(1)
        self.server = NatsServer(
            store,
            secrets,
            ServerPorts(port, mqtt_port, monitor),
            log_file=log,
            listen=listen,
            names=own_names(listen) if listen else (),
        )
        self._say = say
        self._doorkeeper = Doorkeeper(
            self.server, hand_over=hand_over, news=lambda message: say(translate(message))
        )
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start the server and watch it; raises `ingest.nats_files.ServerError`."""
        self.server.start()
        self._tasks = [
            asyncio.create_task(self._keep(), name="watch message bus"),
            asyncio.create_task(self._doorkeeper.run(), name="doorkeeper"),
        ]

    async def ingest_answers(self) -> bool:
        """Whether the ingest process has connected and answers."""
        try:
            bus = await Bus.connect(self.server.url, self.server.credentials("core"), name="up", patience=2)
            async with bus:
                await ask(bus, PARTITION, "hello", within=1)
        except BusUnavailable:
            return False
        return True

    async def stop(self) -> None:
        """Stop the server."""
        await end(self._tasks)
        self.server.stop()

    async def _keep(self) -> None:
        """Start it again when it has ended, or when it says that it cannot go on."""
        ill, look_at, pause = 0, 0.0, ILL_SECONDS
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            code = self.server.poll()
            if code is not None:
                self._say(tell("The message bus ended (exit code {code}); starting it again.", code=code))
                await self._start_again()
                continue
            if loop.time() < look_at:
                continue
            look_at = loop.time() + HEALTH_SECONDS
            why = await asyncio.to_thread(self.server.ails)
            ill = ill + 1 if why else 0
            if ill * HEALTH_SECONDS < pause or space_of(self.server.store).free < ROOM_BYTES:
                continue
            self._say(tell("The message bus cannot go on ({why}); starting it again.", why=why))
            await self._start_again()
            ill, pause = 0, min(pause * 2, LONGEST_ILLNESS)

    async def _start_again(self) -> None:
        pause = PAUSE_SECONDS
        while True:
            self.server.stop()
            try:
                self.server.start()
            except ServerError as error:
                self._say(str(error))
            else:
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
