"""``gridwarden enrol`` on the box that is to become an edge."""

import asyncio
import sys
from pathlib import Path
from typing import Final

from edge.enrol import NotEnrolled, enrol
from gridwarden.console_text import say, stop, tell, translate
from links.addresses import objection_to
from links.folder import LINK_FOLDER, own_key, write_link
from links.invitation import InvalidToken, Invitation
from links.keys import InvalidKey
from readings.subjects import is_token

STANDARD_INPUT: Final = "-"


def redeem(token: str, data: Path) -> None:
    """Become the edge that the token invites to be; `token` ``-`` is read from standard input."""
    try:
        invitation = Invitation.read(sys.stdin.read() if token == STANDARD_INPUT else token)
        folder = data / invitation.edge / LINK_FOLDER
        link = asyncio.run(enrol(invitation, folder))
    except InvalidToken as error:
        stop(translate(error.message))
    except NotEnrolled as error:
        stop(translate(error.message), code=1)
    except OSError as error:
        stop(tell("The link cannot be kept in {folder}: {reason}", folder=data, reason=error), code=1)
    say(tell("This box is {edge} now. Its key stays in {folder}.", edge=link.edge, folder=folder))
    say(tell("Start its agent: gridwarden edge SITE --id {edge} --data {data}", edge=link.edge, data=data))


def new_key(edge: str, data: Path, bus: str, ca_file: Path | None) -> None:
    """For a NATS server elsewhere: make the key and the link, print the public key."""
    folder = data / edge / LINK_FOLDER
    if not is_token(edge):
        stop(tell("{edge} cannot be the id of an edge: a-z, 0-9 and - only", edge=repr(edge)))
    if objection := objection_to(bus, authenticated=True):
        stop(translate(objection))
    try:
        authority = ca_file.read_text(encoding="utf-8") if ca_file is not None else ""
        key = own_key(folder)
        write_link(folder, edge, bus, authority_pem=authority)
    except (InvalidKey, OSError) as error:
        stop(tell("The link cannot be kept in {folder}: {reason}", folder=folder, reason=error), code=1)
    say(key.public)
