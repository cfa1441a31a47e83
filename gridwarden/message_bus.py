"""The message bus of ``gridwarden up``: one NATS server, started again when it ends by itself."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gridwarden.console_text import tell
from ingest.nats_server import NatsServer, ServerError, ServerPorts

LOOK_SECONDS: Final = 0.2
PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE: Final = 10.0


class MessageBus:
    """Keeps a NATS server running until it is stopped. Use it from the main thread."""

    def __init__(
        self, store: Path, secrets: Path, port: int, mqtt_port: int, log: Path, say: Callable[[str], None]
    ) -> None:
        """`say` is told when the server ended by itself."""
        self._server = NatsServer(store, secrets, ServerPorts(port, mqtt_port, _free_port()), log_file=log)
        self._say = say
        self._watch: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the server and watch it; raises `ingest.nats_server.ServerError`."""
        self._server.start()
        self._watch = asyncio.create_task(self._keep(), name="watch message bus")

    async def stop(self) -> None:
        """Stop the server."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        self._server.stop()

    async def _keep(self) -> None:
        pause = PAUSE_SECONDS
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            code = self._server.poll()
            if code is None:
                continue
            self._say(tell("The message bus ended (exit code {code}); starting it again.", code=code))
            self._server.stop()
            try:
                self._server.start()
                pause = PAUSE_SECONDS
            except ServerError as error:
                self._say(str(error))
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
