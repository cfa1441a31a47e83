"""Where a server listens or is reached, and whether a link to it may be open to eavesdroppers."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from language import N_, Message

BUS_PORT: Final = 4222
SHOWN: Final = 100
"""Characters of a wrong address that are shown."""

_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


class InvalidAddress(ValueError):
    """This is no host and port."""


@dataclass(frozen=True, slots=True)
class Address:
    """A host (name, IPv4 or IPv6 address) and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str, port: int = BUS_PORT) -> "Address":
        """``core.example.org``, ``10.0.0.5:4222`` or ``[fd00::5]:4222``; raises `InvalidAddress`."""
        try:
            parts = urlsplit(f"//{text.strip()}")
            host, given = parts.hostname or "", parts.port
        except ValueError as error:
            raise InvalidAddress(f"{text[:SHOWN]!r} is no address: HOST or HOST:PORT") from error
        unexpected = parts.path or parts.query or parts.fragment or parts.username is not None
        if unexpected or not (_is_ip(host) or _NAME.fullmatch(host)):
            raise InvalidAddress(f"{text[:SHOWN]!r} is no address: HOST or HOST:PORT")
        return cls(host, port if given is None else given)

    @property
    def is_loopback(self) -> bool:
        """Whether it never leaves this machine."""
        return is_loopback(self.host)

    @property
    def is_everywhere(self) -> bool:
        """Whether listening here means on every address of the machine (``0.0.0.0``, ``::``)."""
        return _is_ip(self.host) and ipaddress.ip_address(self.host).is_unspecified


def is_loopback(host: str) -> bool:
    """Whether `host` never leaves this machine."""
    if host == "localhost":
        return True
    return _is_ip(host) and ipaddress.ip_address(host).is_loopback


def objection_to(url: str, *, authenticated: bool) -> Message | None:
    """Why a bus at `url` (several, comma separated) must not be used so; None when it may.

    What leaves this machine is encrypted and needs credentials.
    """
    for one in url.split(","):
        try:
            parts = urlsplit(one.strip())
            host = parts.hostname if parts.scheme in ("nats", "tls") else None
        except ValueError:
            host = None
        if host is None:
            text = N_("{url} is no address of a message bus: tls://HOST:PORT")
            return Message(text, {"url": repr(one.rpartition("@")[2][:SHOWN])})
        shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2][:SHOWN]}"
        if is_loopback(host):
            continue
        if parts.scheme != "tls":
            return Message(N_("{url} would carry everything in clear text: use tls://"), {"url": shown})
        if not authenticated and parts.username is None:
            return Message(N_("{url} leaves this machine: it needs credentials"), {"url": shown})
    return None


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
