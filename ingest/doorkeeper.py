"""Keeps the running server's users and certificate as they should be, and lets invited boxes in."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
import structlog

from ingest.bus import Bus, BusUnavailable
from ingest.enrolment import RegisterUnusable
from ingest.enrolment_desk import EnrolmentDesk
from ingest.nats_files import ServerError
from ingest.nats_server import NatsServer
from language import Message
from links.admission import Admission
from readings.subjects import enrolment_subject

LOOK_SECONDS: Final = 0.2
"""How long a revocation may take to be noticed."""
TROUBLE_SECONDS: Final = 10.0

log = structlog.get_logger(__name__)


class Doorkeeper:
    """Watches the register of a server. `run` until cancelled; it outlives the server's restarts."""

    def __init__(
        self,
        server: NatsServer,
        *,
        hand_over: Callable[[str], Awaitable[None]] | None = None,
        news: Callable[[Message], None] | None = None,
    ) -> None:
        """`hand_over` is told of an edge before another box becomes it, `news` of all who come."""
        self._server = server
        self._hand_over = hand_over
        self._news = news
        self._applying = asyncio.Lock()

    async def run(self) -> None:
        """Apply what changes in the register, forget invitations that ran out, renew the certificate."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch(), name="watch the register")
            if self._server.uses_tls:
                tasks.create_task(self._let_in(), name="let boxes in")

    async def apply(self) -> None:
        """Have the server take over the register now; raises `ServerError`."""
        async with self._applying:
            await asyncio.to_thread(self._server.apply)

    async def _watch(self) -> None:
        register, files = self._server.files.register, self._server.files
        while True:
            pause = LOOK_SECONDS
            try:
                if any(time.time_ns() >= invited.until for invited in register.read().invited.values()):
                    with register.change() as enrolments:
                        enrolments.forget_expired(time.time_ns())
                if self._server.pid is not None and files.are_due():
                    await self.apply()
            except (RegisterUnusable, ServerError) as error:
                log.warning("users and certificate stay as they are", why=str(error))
                pause = TROUBLE_SECONDS
            await asyncio.sleep(pause)

    async def _let_in(self) -> None:
        while True:
            try:
                await self._keep_the_door()
            except (ServerError, BusUnavailable) as error:
                log.warning("enrolment waits", why=str(error))
                await asyncio.sleep(TROUBLE_SECONDS)

    async def _keep_the_door(self) -> None:
        server = self._server
        desk = EnrolmentDesk(
            server.files.register,
            Admission(authority=server.files.authority().pem, server_name=server.server_name),
            self.apply,
            hand_over=self._hand_over,
            news=self._news,
        )

        async def respond(subject: str, question: bytes) -> bytes:
            try:
                return await desk.respond(subject.rpartition(".")[2], question)
            except (RegisterUnusable, ServerError) as error:
                log.warning("box not let in", why=str(error))
                return msgspec.json.encode(Admission(refused="unavailable"))

        core = server.credentials("core")
        async with await Bus.connect(server.url, core, name="enrolment desk", patience=None) as bus:
            await bus.serve(enrolment_subject("*"), respond)
            await asyncio.Event().wait()
