"""What people are told about the way to the core: that the edge waits for it, why, and when that is over.

Told at once when sending stops, once for each reason, and once when both lanes send again; whoever starts an
edge before its core sees so what it waits for. Each lane's own troubles are in the log.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from language import N_, Message, Translator, preferred, translator
from readings import Lane

log = logging.getLogger("edge.link")

_WAITS: Final = N_(
    "Waiting for the message bus at {where} since {since}: {why}. What devices say meanwhile is kept in "
    "{kept} and sent when it comes. Look whether the core runs (gridwarden up, or its services) and whether "
    "this machine reaches it."
)
_STILL: Final = N_("Still waiting for the message bus at {where}: {why}.")
_COMES: Final = N_("The message bus at {where} is there, after {seconds} s: what waited is being sent.")
_THERE: Final = N_("Connected to the message bus at {where}.")


class LinkNews:
    """Tells about one edge's way to `url`; what waits for it lies in `kept`."""

    def __init__(
        self,
        url: str,
        kept: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        say: Translator | None = None,
    ) -> None:
        self._where = ", ".join(map(_without_password, url.split(",")))
        self._kept = kept
        self._clock = clock
        self._say = say or translator(preferred())
        self._sending: set[Lane] = set()
        self._told: set[str] = set()
        """Why nothing is sent since `_since`; none: both lanes are, or nothing was tried yet."""
        self._since = 0.0

    def waits(self, lane: Lane, why: Message) -> None:
        """Nothing of `lane` is sent just now."""
        self._sending.discard(lane)
        reason = self._say(why)
        if reason in self._told:
            return
        values: dict[str, object] = {"where": self._where, "why": reason, "kept": self._kept}
        if not self._told:
            self._since = self._clock()
            values["since"] = time.strftime("%Y-%m-%d %H:%M:%S")
        log.warning("%s", self._say(Message(_STILL if self._told else _WAITS, values)))
        self._told.add(reason)

    def sends(self, lane: Lane) -> None:
        """`lane` is sent."""
        before = len(self._sending)
        self._sending.add(lane)
        if len(self._sending) == before or len(self._sending) < len(Lane):
            return
        if self._told:
            values = {"where": self._where, "seconds": f"{self._clock() - self._since:.0f}"}
            log.info("%s", self._say(Message(_COMES, values)))
        else:
            log.info("%s", self._say(Message(_THERE, {"where": self._where})))
        self._told.clear()


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
