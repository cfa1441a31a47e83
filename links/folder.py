"""The folder in which an edge keeps who it is: its key, whom it believes, and where its core is.

``key`` (the seed of its NKey), ``authority.pem`` (absent on a link that never leaves the machine) and
``link.json``, all of mode 600. Written by enrolment, read at every start of the agent.
"""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from language import N_, Message
from links.addresses import objection_to
from links.admission import UNREADABLE
from links.keys import InvalidKey, Key, read_key
from links.secret_files import SecretExposed, check_private, write_secret
from links.trust import trust_authority

LINK_FOLDER: Final = "link"
"""Its name inside an edge's own folder, where nobody says otherwise."""


class InvalidLink(Exception):
    """The folder cannot be used; `message` says why. Enrol the box anew."""

    def __init__(self, message: Message) -> None:
        self.message = message
        super().__init__(str(message))


class _File(msgspec.Struct, frozen=True):
    edge: str
    url: str
    server_name: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """How one edge reaches its core and shows who it is."""

    edge: str
    key: Key
    url: str
    """One URL or several, comma separated; tls:// unless it never leaves the machine."""
    authority: Path | None = None
    """Certificate of the authority that signed the server's; None: those that the system knows."""
    server_name: str = ""
    """What the server's certificate must say instead of the host in `url`."""
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    @classmethod
    def read(cls, folder: Path, edge: str) -> "Link":
        """The link in `folder`, which must be the one of `edge`; raises `InvalidLink`."""
        try:
            check_private(folder / "link.json")
            found = msgspec.json.decode((folder / "link.json").read_bytes(), type=_File)
            key = read_key(folder / "key")
            authority = folder / "authority.pem" if (folder / "authority.pem").exists() else None
            tls = None
            if found.url.startswith("tls:"):
                tls = ssl.create_default_context() if authority is None else trust_authority(authority)
        except SecretExposed as error:
            raise InvalidLink(Message("{reason}", {"reason": error})) from error
        except (OSError, InvalidKey, *UNREADABLE) as error:
            text = N_("{folder} holds no usable link ({reason}): enrol this box again")
            raise InvalidLink(Message(text, {"folder": folder, "reason": error})) from error
        if found.edge != edge:
            text = N_("{folder} is the link of edge {other}, not of {edge}")
            raise InvalidLink(Message(text, {"folder": folder, "other": found.edge, "edge": edge}))
        if objection := objection_to(found.url, authenticated=True):
            raise InvalidLink(objection)
        return cls(edge, key, found.url, authority, found.server_name, tls)


def exists(folder: Path) -> bool:
    """Whether a box has been enrolled here."""
    return (folder / "link.json").exists()


def own_key(folder: Path) -> Key:
    """The key in `folder`, made when there is none: a second attempt shows the same one.

    Raises `links.keys.InvalidKey`, `links.secret_files.SecretExposed`, OSError.
    """
    file = folder / "key"
    if not file.exists():
        write_secret(file, Key.new().seed)
    return read_key(file)


def write_link(folder: Path, edge: str, url: str, *, authority_pem: str = "", server_name: str = "") -> None:
    """Complete the folder that `own_key` began. Raises OSError."""
    if authority_pem:
        write_secret(folder / "authority.pem", authority_pem)
    else:
        (folder / "authority.pem").unlink(missing_ok=True)
    link = _File(edge, url, server_name)
    write_secret(folder / "link.json", msgspec.json.format(msgspec.json.encode(link)).decode())
