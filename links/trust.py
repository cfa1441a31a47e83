"""Whom a client believes: TLS contexts for the message bus, and what a failed connection means."""

import logging
import socket
import ssl
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from language import N_, Message

SERVER_NAME: Final = "core.gridwarden.internal"
"""What edges call their core, wherever it stands: its authority signs certificates for no other name.

An address that changes (DHCP, a router's forwarding, a VPN) then needs no new certificate.
"""

_EXPIRED: Final = 10
_NOT_YET: Final = 9
_UNKNOWN_AUTHORITY: Final = frozenset((18, 19, 20, 21))
_WRONG_NAME: Final = frozenset((62, 63, 64))
"""OpenSSL's ``X509_V_ERR_…``: host name, mail, IP address."""


def trust_authority(file: Path) -> ssl.SSLContext:
    """Believe servers whose certificate this authority signed. Raises OSError, ssl.SSLError."""
    _expect_the_end_of_a_stream()
    return ssl.create_default_context(cafile=str(file))


def trust_exactly(certificate_pem: str) -> ssl.SSLContext:
    """Believe the server that shows exactly this certificate, until its authority is known."""
    _expect_the_end_of_a_stream()
    context = ssl.create_default_context(cadata=certificate_pem)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def tls_options(url: str, tls: ssl.SSLContext | None, server_name: str) -> dict[str, Any]:
    """How nats-py connects to `url`; `server_name` is what the certificate must say instead of its host."""
    options: dict[str, Any] = {}
    if url.startswith("tls:"):
        # Otherwise nats-py lets the server choose, in clear text, whether there is to be TLS at all.
        options["tls_handshake_first"] = True
    if tls is not None:
        options["tls"] = tls
    if server_name:
        options["tls_hostname"] = server_name
    return options


def explain(error: BaseException, now: datetime) -> Message:
    """Why there is no connection to the bus, and what to do about it; `now` is this machine's clock."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _explain_certificate(error, now)
    if isinstance(error, ssl.SSLError):
        text = N_("the other end does not begin with TLS; NATS needs handshake_first: true ({error})")
        return Message(text, {"error": error.reason or error})
    told = str(error)
    if "authorization violation" in told.lower():
        return REFUSED
    if isinstance(error, ConnectionRefusedError):
        return Message(N_("nobody listens there"))
    if isinstance(error, TimeoutError):
        return Message(N_("no answer"))
    if isinstance(error, socket.gaierror):
        return Message(N_("its name is not known here ({error})"), {"error": error.strerror or error})
    return as_it_is(f"{type(error).__name__}: {told}" if told else type(error).__name__)


def as_it_is(told: object) -> Message:
    """What a library says of itself, in its own words."""
    return Message("{error}", {"error": told})


REFUSED: Final = Message(
    N_("the core does not accept these credentials: revoked, replaced by another box, or never enrolled")
)


def _explain_certificate(error: ssl.SSLCertVerificationError, now: datetime) -> Message:
    clock = {"now": now.strftime("%Y-%m-%d %H:%M")}
    if error.verify_code == _EXPIRED:
        text = N_("the core's certificate has expired, or this machine's clock is wrong: it says {now}")
        return Message(text, clock)
    if error.verify_code == _NOT_YET:
        text = N_("the core's certificate is not valid yet, or this machine's clock is wrong: it says {now}")
        return Message(text, clock)
    if error.verify_code in _UNKNOWN_AUTHORITY:
        return Message(
            N_(
                "the other end is not the core that this box knows (its certificate has another authority):"
                " a wrong address, a core that was set up anew, or somebody in between"
            )
        )
    if error.verify_code in _WRONG_NAME:
        text = N_("the certificate is another server's: {error}")
        return Message(text, {"error": error.verify_message})
    return Message(N_("the core's certificate is refused: {error}"), {"error": error.verify_message})


class _EndOfStream(logging.Filter):
    """asyncio complains whenever the other end hangs up on a connection that nats-py upgraded to TLS."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "eof_received()" not in record.getMessage()


def _expect_the_end_of_a_stream() -> None:
    log = logging.getLogger("asyncio")
    if not any(isinstance(known, _EndOfStream) for known in log.filters):
        log.addFilter(_EndOfStream())
