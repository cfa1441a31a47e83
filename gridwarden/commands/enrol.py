"""``gridwarden enrol`` on the core: who may speak for which edge."""

import json
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from gridwarden.commands.core import config_of
from gridwarden.console_text import say, stop, tell, translate
from ingest.enrolment import SECOND, NotEnrolled, Refused, RegisterUnusable
from ingest.nats_config import users_elsewhere
from ingest.nats_files import BusState, ServerError, ServerFiles
from language import N_, Message
from links.addresses import Address, InvalidAddress
from links.folder import LINK_FOLDER, own_key, write_link
from links.invitation import Invitation
from links.keys import InvalidKey
from links.trust import SERVER_NAME
from readings.subjects import is_token
from registry.problems import InvalidConfiguration, did_you_mean
from registry.wiring import read_edges

APPLY_SECONDS: Final = 15.0
LOOK_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Core:
    """The core's side: where its secrets are, and its site folder when that is known."""

    secrets: Path
    site: Path | None = None

    @classmethod
    def at(cls, data: Path, secrets: Path | None) -> "Core":
        """The core whose data ``gridwarden up`` keeps in `data`, or whose bus has its secrets elsewhere."""
        try:
            config = config_of(data)
        except InvalidConfiguration as error:
            stop(str(error))
        return cls(secrets or data / "run" / "secrets", config.site if config is not None else None)

    @property
    def files(self) -> ServerFiles:
        """The files of its message bus."""
        return ServerFiles(self.secrets)


def invite(core: Core, edge: str, reach: list[str], minutes: float) -> None:
    """Hand out a token for `edge`, valid for `minutes`; `reach` is where the box finds the core."""
    files = core.files
    with _stopping_on_trouble():
        _check_edge(core, edge)
        state = _running(files, core)
        if not state.tls:
            raise _Trouble(
                tell(
                    "the message bus listens on this machine only: start gridwarden up with --bus-host"
                    " ADDRESS, or gridwarden bus with --listen ADDRESS"
                )
            )
        addresses = _addresses(state, reach)
        invitation = Invitation(edge, addresses, files.authority().public)
        with files.register.change() as enrolments:
            known = edge in enrolments.edges
            enrolments.invite(edge, invitation.key.public, time.time_ns(), int(minutes * 60 * SECOND))
        _wait_until_applied(files)
        fingerprint = files.authority().fingerprint
    say(
        tell(
            "On the box that is to be {edge}, within {minutes} {minutes|minute|minutes}:",
            edge=edge,
            minutes=f"{minutes:g}",
        )
    )
    say("")
    say(f"  gridwarden enrol --redeem {invitation.token}")
    say("")
    say(tell("It serves once. The box must reach {addresses}.", addresses=", ".join(map(str, addresses))))
    say(tell("Fingerprint of this core's authority (SHA-256): {fingerprint}", fingerprint=fingerprint))
    if known:
        say(tell("Whoever speaks for {edge} now is shut out when the new box comes in.", edge=edge))


def admit(core: Core, edge: str, key: str) -> None:
    """Enrol the box that has told its public key otherwise (a site with a NATS server elsewhere)."""
    files = core.files
    with _stopping_on_trouble():
        _check_edge(core, edge)
        with files.register.change() as enrolments:
            enrolments.admit(edge, key, time.time_ns())
        _say_effect(files, tell("{edge} is enrolled.", edge=edge))


def revoke(core: Core, edge: str) -> None:
    """Shut out whoever speaks for `edge`, at once."""
    files = core.files
    with _stopping_on_trouble():
        with files.register.change() as enrolments:
            enrolled = enrolments.edges.get(edge)
            if enrolled is not None and enrolled.local:
                raise _Trouble(
                    tell(
                        "{edge} is read by this machine's own agent, which gridwarden up enrols itself:"
                        " take it out of the site folder instead",
                        edge=edge,
                    )
                )
            try:
                enrolments.revoke(edge, time.time_ns())
            except NotEnrolled as error:
                names = [*enrolments.edges, *enrolments.invited]
                raise _Trouble(_unknown(edge, names)) from error
        _say_effect(files, tell("{edge} is shut out.", edge=edge))


def let_in_here(core: Core, edge: str, data: Path) -> None:
    """Enrol an agent that runs on the bus's own machine as a service, its link in ``<data>/<edge>/link``."""
    files, folder = core.files, data / edge / LINK_FOLDER
    with _stopping_on_trouble():
        _check_edge(core, edge)
        state = _running(files, core)
        authority, name = (files.authority().pem, SERVER_NAME) if state.tls else ("", "")
        try:
            key = own_key(folder)
            write_link(folder, edge, state.url, authority_pem=authority, server_name=name)
        except (InvalidKey, OSError) as error:
            raise _Trouble(
                tell("The link cannot be kept in {folder}: {reason}", folder=folder, reason=error)
            ) from error
        with files.register.change() as enrolments:
            enrolments.invited.pop(edge, None)
            enrolments.admit(edge, key.public, time.time_ns())
        _say_effect(files, tell("{edge} is enrolled, with its link in {folder}.", edge=edge, folder=folder))


def run_here(core: Core, edge: str) -> None:
    """Have ``gridwarden up`` run the agent of `edge` itself from its next start on."""
    with _stopping_on_trouble():
        _check_edge(core, edge)
        with core.files.register.change() as enrolments:
            enrolled = enrolments.edges.get(edge)
            if enrolled is None or not enrolled.local:
                enrolments.edges.pop(edge, None)
                enrolments.invited.pop(edge, None)
            enrolments.revoked.pop(edge, None)
        done = tell("{edge} runs on this machine from the next start of gridwarden up on.", edge=edge)
        _say_effect(core.files, done)


def show(core: Core, *, as_json: bool) -> None:
    """List who is enrolled, invited, shut out."""
    with _stopping_on_trouble():
        enrolments = core.files.register.read()
    rows: list[dict[str, str]] = [
        {
            "edge": edge,
            "state": "local" if enrolled.local else "enrolled",
            "since": _moment(enrolled.since),
            "key": enrolled.key,
        }
        for edge, enrolled in enrolments.edges.items()
    ]
    now = time.time_ns()
    rows += [
        {"edge": edge, "state": "invited", "since": _moment(invited.until), "key": ""}
        for edge, invited in enrolments.invited.items()
        if invited.used_by is None and now < invited.until
    ]
    rows += [
        {"edge": edge, "state": "revoked", "since": _moment(when), "key": ""}
        for edge, when in enrolments.revoked.items()
    ]
    rows.sort(key=lambda row: (row["edge"], row["state"]))
    if as_json:
        say(json.dumps(rows, indent=2))
        return
    if not rows:
        say(tell("Nobody is enrolled. Begin with: gridwarden enrol EDGE"))
        return
    table = Table(tell("edge"), tell("state"), tell("since"), tell("public key"), box=None)
    for row in rows:
        since = tell("until {time}", time=row["since"]) if row["state"] == "invited" else row["since"]
        table.add_row(row["edge"], translate(STATES[row["state"]]), since, row["key"])
    Console(width=None if sys.stdout.isatty() else 200).print(table)


STATES: Final = {
    "local": Message(N_("on this machine")),
    "enrolled": Message(N_("enrolled")),
    "invited": Message(N_("invited")),
    "revoked": Message(N_("shut out")),
}


def show_users(core: Core) -> None:
    """Print core and edges as users for the configuration of a NATS server elsewhere."""
    with _stopping_on_trouble():
        say(users_elsewhere(core.files.register.read().public_keys()))


class _Trouble(Exception):
    """The command cannot do what it was asked; the text says why."""


@contextmanager
def _stopping_on_trouble() -> Iterator[None]:
    """End the command with the sentence of what went wrong."""
    try:
        yield
    except (_Trouble, RegisterUnusable, ServerError) as error:
        stop(str(error), code=1)
    except Refused as error:
        stop(translate(REFUSED[error.reason]), code=1)


REFUSED: Final = {
    "invalid key": Message(N_("this is no public key of a box (U…, 56 characters)")),
    "key in use": Message(N_("this key belongs to another edge already")),
}


def _check_edge(core: Core, edge: str) -> None:
    """Whether the site has this edge, when the site is known."""
    if not is_token(edge):
        raise _Trouble(tell("{edge} cannot be the id of an edge: a-z, 0-9 and - only", edge=repr(edge)))
    if core.site is not None and edge not in (names := read_edges(core.site, [])):
        raise _Trouble(_unknown(edge, names))


def _unknown(edge: str, names: Iterable[str]) -> str:
    told = tell("there is no edge {edge}", edge=edge)
    guess = did_you_mean(edge, names)
    return f"{told}: {translate(guess)}" if guess is not None else told


def _running(files: ServerFiles, core: Core) -> BusState:
    state = files.state()
    if state is None:
        raise _Trouble(
            tell(
                "the message bus does not run (looked in {folder}): start gridwarden up or gridwarden bus,"
                " or name its folder with --secrets",
                folder=core.secrets,
            )
        )
    return state


def _addresses(state: BusState, reach: list[str]) -> tuple[Address, ...]:
    try:
        given = tuple(Address.parse(text, state.port) for text in reach)
    except InvalidAddress as error:
        raise _Trouble(str(error)) from error
    return given or tuple(Address(name, state.port) for name in state.names)


def _say_effect(files: ServerFiles, done: str) -> None:
    if files.state() is None:
        say(tell("{done} The message bus does not run here; it holds from its next start on.", done=done))
        return
    _wait_until_applied(files)
    say(tell("{done} The message bus has it.", done=done))


def _wait_until_applied(files: ServerFiles) -> None:
    """Until the running server works by the register as it is now."""
    revision = files.register.revision
    deadline = time.monotonic() + APPLY_SECONDS
    while (state := files.state()) is not None and state.revision != revision:
        if time.monotonic() > deadline:
            raise _Trouble(tell("the message bus did not take over the change; its log says why"))
        time.sleep(LOOK_SECONDS)


def _moment(ns: int) -> str:
    return datetime.fromtimestamp(ns / SECOND).astimezone().isoformat(timespec="seconds", sep=" ")
