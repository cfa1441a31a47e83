"""Lets invited boxes in: answers what they ask on the bus, which let them ask nothing else."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import msgspec
import structlog

from ingest.enrolment import Refused, Register
from language import N_, Message
from links.admission import UNREADABLE, Admission, Application

log = structlog.get_logger(__name__)


class EnrolmentDesk:
    """Enrols a box when it shows its key, and has the server know it before it hears the answer."""

    def __init__(
        self,
        register: Register,
        welcome: Admission,
        apply: Callable[[], Awaitable[None]],
        *,
        hand_over: Callable[[str], Awaitable[None]] | None = None,
        news: Callable[[Message], None] | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """`welcome` is the answer to those who are let in; `apply` puts the register into force.

        `hand_over` is told of an edge before another box becomes it, to finish what was so far; `news` of
        everybody who comes, let in or not.
        """
        self._register = register
        self._welcome = welcome
        self._apply = apply
        self._hand_over = hand_over
        self._news = news or _log
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()

    async def respond(self, edge: str, question: bytes) -> bytes:
        """The answer to a box that is invited to be `edge`.

        Raises `ingest.enrolment.RegisterUnusable`, and what `apply` raises.
        """
        async with self._one_at_a_time:
            try:
                application = msgspec.json.decode(question, type=Application)
                await self._admit(edge, application.key)
            except UNREADABLE:
                return msgspec.json.encode(Admission(refused="invalid key"))
            except Refused as refused:
                values = {"edge": edge, "reason": refused.reason}
                self._news(Message(N_("A box that wanted to be {edge} was not let in: {reason}"), values))
                return msgspec.json.encode(Admission(refused=refused.reason))
            return msgspec.json.encode(self._welcome)

    async def _admit(self, edge: str, key: str) -> None:
        rehearsal = self._register.read()
        before = rehearsal.edges.get(edge)
        rehearsal.redeem(edge, key, self._clock())  # who is to be refused disturbs nobody
        if before is not None and before.key != key and self._hand_over is not None:
            await self._hand_over(edge)
        with self._register.change() as enrolments:
            enrolments.redeem(edge, key, self._clock())
        await self._apply()
        self._news(
            Message(N_("{edge} is a box of its own now, with the key {key}"), {"edge": edge, "key": key})
        )


def _log(news: Message) -> None:
    log.warning(str(news))
