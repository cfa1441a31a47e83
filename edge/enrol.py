"""A box becomes an edge: it shows its invitation to the core and is known by its own key from then on.

The key is made here and never leaves. Nothing is sent before the core has proved that its certificate was
signed by the authority that the invitation names. Not a part of the running agent: it needs more memory.
"""

import asyncio
import shutil
import ssl
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import nats.errors
from nats.aio.client import Client

from edge.bus import Bus
from language import N_, Message
from links.addresses import Address
from links.admission import UNREADABLE, Admission, Application
from links.authority import WrongAuthority, check_is, check_signed
from links.folder import InvalidLink, Link, own_key, write_link
from links.invitation import Invitation
from links.keys import InvalidKey
from links.trust import REFUSED, SERVER_NAME, explain, tls_options, trust_exactly
from readings.subjects import ABOUT_ME, enrolment_inbox, enrolment_subject

PATIENCE: Final = 10.0
_PAUSES: Final = (0.2, 1.0, 3.0, None)
"""Seconds for each step on the network."""

REFUSALS: Final = {
    "unknown": N_("the core does not know this token: a later one was made, or it was withdrawn"),
    "expired": N_("the token has run out"),
    "used": N_("another box has used this token already"),
    "invalid key": N_("the core cannot read this box's key: it is of another version"),
    "key in use": N_("this box's key belongs to another edge already"),
    "unavailable": N_("the core cannot let boxes in now; its log says why"),
}


class NotEnrolled(Exception):
    """The box was not let in; `message` says why. What it was before, it still is."""

    def __init__(self, message: Message) -> None:
        self.message = message
        super().__init__(str(message))


async def enrol(
    invitation: Invitation, folder: Path, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Link:
    """Make `folder` this box's link to the core that sent the invitation; raises `NotEnrolled`, OSError.

    May be repeated with the same invitation when it broke off. A link that is there is replaced at the end.
    """
    fresh = folder.with_name(f"{folder.name}.new")
    try:
        key = own_key(fresh)
    except InvalidKey as error:
        raise NotEnrolled(Message("{error}; rm -r {folder}", {"error": error, "folder": fresh})) from error
    trouble: NotEnrolled | None = None
    for address in invitation.addresses:
        try:
            shown = await asyncio.to_thread(_certificate_at, address, invitation.authority, now())
            admission = await _ask(invitation, address, shown, key.public, now())
            break
        except _NotReached as error:
            trouble = NotEnrolled(error.message)
    else:
        raise trouble or NotEnrolled(Message(N_("the token names no address")))
    url = ",".join(f"tls://{address}" for address in invitation.addresses)
    write_link(
        fresh, invitation.edge, url, authority_pem=admission.authority, server_name=admission.server_name
    )
    await _prove(fresh, invitation.edge, now())
    _replace(folder, fresh)
    return Link.read(folder, invitation.edge)


class _NotReached(NotEnrolled):
    """Not at this address; there may be others."""


def _certificate_at(address: Address, authority: bytes, now: datetime) -> str:
    """The certificate (PEM) that is shown there, once it is known to be the core's."""
    try:
        shown = ssl.get_server_certificate((address.host, address.port), timeout=PATIENCE)
    except OSError as error:
        text = N_("no core at {address}: {reason}")
        raise _NotReached(Message(text, {"address": address, "reason": explain(error, now)})) from error
    try:
        check_signed(shown, authority)
    except WrongAuthority as error:
        text = N_(
            "what answers at {address} is not the core that made this token (its certificate was signed by"
            " another authority): a wrong address, a core that was set up anew, or somebody in between."
            " Nothing was sent"
        )
        raise NotEnrolled(Message(text, {"address": address})) from error
    return shown


async def _ask(invitation: Invitation, address: Address, shown: str, key: str, now: datetime) -> Admission:
    url = f"tls://{address}"
    options = {
        "servers": url,
        "nkeys_seed_str": invitation.key.seed,
        "inbox_prefix": enrolment_inbox(invitation.edge),
        **tls_options(url, trust_exactly(shown), SERVER_NAME),
    }
    question = msgspec.json.encode(Application(key))
    try:
        answer = await _request(options, enrolment_subject(invitation.edge), question)
        admission = msgspec.json.decode(answer, type=Admission)
    except nats.errors.NoRespondersError as error:
        raise NotEnrolled(Message(REFUSALS["unavailable"])) from error
    except (nats.errors.Error, OSError) as error:
        reason = explain(error, now)
        if reason is REFUSED:
            text = N_("the core does not know this token: it has run out, or a later one was made")
            raise NotEnrolled(Message(text)) from error
        text = N_("no core at {address}: {reason}")
        raise _NotReached(Message(text, {"address": address, "reason": reason})) from error
    except UNREADABLE as error:
        raise NotEnrolled(
            Message(N_("the core's answer cannot be read: {error}"), {"error": error})
        ) from error
    if admission.refused:
        raise NotEnrolled(Message(REFUSALS.get(admission.refused, admission.refused)))
    try:
        check_is(admission.authority, invitation.authority)
    except WrongAuthority as error:
        raise NotEnrolled(Message(N_("the core sent {error}"), {"error": error})) from error
    return admission


async def _prove(folder: Path, edge: str, now: datetime) -> None:
    """Log in as the running agent will."""
    try:
        options = Bus.of(Link.read(folder, edge)).options(edge)
        for pause in _PAUSES:
            try:
                await _request(options, ABOUT_ME, b"")
            except ConnectionResetError:  # the server is just taking on its new users
                if pause is None:
                    raise
                await asyncio.sleep(pause)
            else:
                return
    except InvalidLink as error:
        raise NotEnrolled(error.message) from error
    except (nats.errors.Error, OSError) as error:
        text = N_("the core let this box in, but it cannot log in: {reason}")
        raise NotEnrolled(Message(text, {"reason": explain(error, now)})) from error


async def _request(options: dict[str, Any], subject: str, question: bytes) -> bytes:
    """One question on a connection of its own; raises `nats.errors.Error` and OSError."""
    client, trouble = Client(), list[Exception]()

    async def remember(error: Exception) -> None:
        trouble.append(error)

    try:
        await asyncio.wait_for(client.connect(allow_reconnect=False, error_cb=remember, **options), PATIENCE)
        answer = await client.request(subject, question, timeout=PATIENCE)
    except TimeoutError:
        raise trouble[-1] if trouble else nats.errors.TimeoutError from None
    finally:
        with suppress(nats.errors.Error, OSError, TimeoutError):
            await asyncio.wait_for(client.close(), 2)
    return bytes(answer.data)


def _replace(folder: Path, fresh: Path) -> None:
    """Put the complete folder in the place of the old one; broken off, the same invitation completes it."""
    old = folder.with_name(f"{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
