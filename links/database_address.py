"""Where a PostgreSQL database is, as libpq's URLs say it, and whether the way there may be used.

A password has no place in an address: addresses stand in configurations, logs and process lists.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from language import N_, Message
from links.addresses import Address, InvalidAddress, is_loopback

POSTGRES_PORT: Final = 5432
_SCHEMES: Final = ("postgresql", "postgres")

_FORM: Final = N_("must be postgresql://USER@HOST/DATABASE, or postgresql://USER@/DATABASE?host=/FOLDER")
_PASSWORD: Final = N_("a password does not belong into `url`: put it into a file that `password_file` names")
_OPTION: Final = N_("`{option}` does not belong into `url`: its only option is `host`, a socket's folder")


class BadAddress(ValueError):
    """A database must not be used at this address, or it is none; `message` says why, without a password."""

    def __init__(self, message: Message) -> None:
        self.message = message
        super().__init__(str(message))


@dataclass(frozen=True)
class Login:
    """What a connection shows and trusts: the password's file, and the authority of the server."""

    password_file: Path | None = None
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """A database on a server: `host` is a name, an IP address, or the folder of a Unix socket."""

    user: str
    host: str
    port: int
    database: str

    def __str__(self) -> str:
        user, database = quote(self.user, safe=""), quote(self.database, safe="")
        if self.is_socket:
            port = "" if self.port == POSTGRES_PORT else f":{self.port}"
            return f"postgresql://{user}@{port}/{database}?host={quote(self.host)}"
        return f"postgresql://{user}@{Address(self.host, self.port)}/{database}"

    @classmethod
    def parse(cls, url: str) -> Self:
        """``postgresql://user@host:port/database`` or ``postgresql://user@/database?host=/run/postgresql``.

        Raises `BadAddress`, which never shows what could be a password.
        """
        try:
            parts = urlsplit(url.strip())
            options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        except ValueError as error:
            raise BadAddress(Message(_FORM)) from error
        if parts.scheme not in _SCHEMES or parts.fragment:
            raise BadAddress(Message(_FORM))
        if parts.password is not None or "password" in options:
            raise BadAddress(Message(_PASSWORD))
        folder = options.pop("host", "")
        if options:
            raise BadAddress(Message(_OPTION, {"option": min(options)}))
        user, database = unquote(parts.username or ""), unquote(parts.path.removeprefix("/"))
        place = parts.netloc.rpartition("@")[2]
        if not user or not database or "/" in database or "\0" in user + database:
            raise BadAddress(Message(_FORM))
        if folder:
            return cls(user, *_socket(folder, place), database)
        try:
            at = Address.parse(place, POSTGRES_PORT)
        except InvalidAddress as error:
            raise BadAddress(Message(_FORM)) from error
        return cls(user, at.host, at.port, database)

    @property
    def is_socket(self) -> bool:
        """Whether it is reached through a file of this machine."""
        return self.host.startswith("/")

    @property
    def is_local(self) -> bool:
        """Whether the way there never leaves this machine."""
        return self.is_socket or is_loopback(self.host)

    def objection(self, password_file: Path | None, ca_file: Path | None) -> Message | None:
        """Why it must not be used so; None when it may. What leaves this machine is encrypted, and needs
        a password.
        """
        if self.is_local:
            return None
        if ca_file is None:
            return Message(
                N_("{url} would carry everything in clear text: name the server's authority with `ca_file`"),
                {"url": str(self)},
            )
        if password_file is None:
            return Message(
                N_("{url} leaves this machine: it needs a password, in a file that `password_file` names"),
                {"url": str(self)},
            )
        return None


def _socket(folder: str, place: str) -> tuple[str, int]:
    """The folder and the port, which a socket has in its name; raises `BadAddress`."""
    port = place.removeprefix(":") or str(POSTGRES_PORT)
    if not folder.startswith("/") or "\0" in folder or "," in folder or not (place == "" or place[0] == ":"):
        raise BadAddress(Message(_FORM))
    if not (port.isascii() and port.isdecimal() and 0 < int(port) < 1 << 16):
        raise BadAddress(Message(_FORM))
    return folder, int(port)
