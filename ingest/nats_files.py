"""The files that our NATS server works by: passwords, register, certificate, configuration, state.

All stand in one folder that only one user can read. Passwords, authority and register are made once and are
worth keeping beside a backup; the rest is written afresh at every start and reload.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from ingest.enrolment import Register, RegisterUnusable
from ingest.nats_config import LOOPBACK, USERS_FILE, ServerPorts, TlsFiles, server_config, users_config
from links.addresses import Address
from links.admission import UNREADABLE
from links.authority import RENEW_BEFORE, Authority, AuthorityUnusable
from links.secret_files import read_secret, write_secret
from supervision.locks import is_held

USERS: Final = ("core", "mqtt")
STATE_FILE: Final = "bus.json"
STORE_LOCK: Final = "server.lock"
"""In the folder of the streams: held as long as a server works on it."""


class ServerError(Exception):
    """The server cannot be started or used; the sentence says what to change. Stop and show it."""


@dataclass(frozen=True, slots=True)
class ServerPlan:
    """What the server is to be."""

    store: Path
    ports: ServerPorts
    max_store: int
    host: str = LOOPBACK
    tls: bool = False
    names: tuple[str, ...] = ()
    """Hosts and IP addresses that the certificate is to be valid for besides."""

    @property
    def url(self) -> str:
        """Where clients on this machine connect."""
        host = LOOPBACK if Address(self.host, 0).is_everywhere else self.host
        return f"{'tls' if self.tls else 'nats'}://{Address(host, self.ports.client)}"


class BusState(msgspec.Struct, frozen=True):
    """What a running server tells other commands on its machine (``bus.json``)."""

    store: str
    url: str
    """Where clients on this machine connect."""
    host: str
    port: int
    names: tuple[str, ...]
    """What edges may call it by."""
    tls: bool
    revision: str
    """Of the register that it works with."""


@dataclass(frozen=True, slots=True)
class Written:
    """What `ServerFiles.write` wrote: the main file, and the revision of the register in it."""

    config: Path
    revision: str


class ServerFiles:
    """The folder of one server. What goes wrong with it raises `ServerError`."""

    def __init__(self, folder: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.folder = folder
        self.register = Register(folder / "enrolments.json")
        self.authority_file = folder / "authority.pem"
        self._clock = clock
        self._revision = ""
        self._certificate_ends: datetime | None = None

    def authority(self) -> Authority:
        """The authority, made when there is none yet."""
        try:
            return Authority.open(self.folder)
        except (AuthorityUnusable, OSError) as error:
            raise ServerError(f"the certificate authority cannot be used: {error}") from error

    def password(self, user: str) -> str:
        """The password of one of `USERS`, made when there is none yet."""
        if user not in USERS:
            raise ValueError(f"no such user: {user}")
        path = self.folder / f"nats-{user}"
        try:
            if not path.exists():
                write_secret(path, secrets.token_urlsafe(24))
            return read_secret(path)
        except OSError as error:
            raise ServerError(f"{path} cannot be used: {error.strerror or error}") from error

    def write(self, plan: ServerPlan) -> Written:
        """Write all that the server reads: users as the register has them now, a certificate that lasts."""
        passwords = {user: self.password(user) for user in USERS}
        config = self.folder / "nats-server.conf"
        try:
            revision, enrolments = self.register.revision, self.register.read()
            users = users_config(passwords, enrolments.public_keys(), enrolments.one_time_keys())
            write_secret(self.folder / USERS_FILE, users)
            text = server_config(plan.store, plan.ports, plan.max_store, host=plan.host, tls=self._tls(plan))
            write_secret(config, text)
        except RegisterUnusable as error:
            raise ServerError(str(error)) from error
        except OSError as error:
            raise ServerError(f"{self.folder} cannot be written: {error.strerror or error}") from error
        self._revision = revision
        return Written(config, revision)

    def are_due(self) -> bool:
        """Whether `write` would write something else: another register, a certificate that lasts longer."""
        if self._certificate_ends is not None and self._certificate_ends - self._clock() <= RENEW_BEFORE:
            return True
        try:
            return self.register.revision != self._revision
        except RegisterUnusable as error:
            raise ServerError(str(error)) from error

    def tell(self, plan: ServerPlan, written: Written) -> None:
        """Say that a server runs on what was written."""
        state = BusState(
            str(plan.store), plan.url, plan.host, plan.ports.client, plan.names, plan.tls, written.revision
        )
        try:
            write_secret(self.folder / STATE_FILE, msgspec.json.encode(state).decode())
        except OSError as error:
            raise ServerError(f"{self.folder} cannot be written: {error.strerror or error}") from error

    def tell_stopped(self) -> None:
        """Say that no server runs."""
        (self.folder / STATE_FILE).unlink(missing_ok=True)

    def state(self) -> BusState | None:
        """What the running server tells; None when none runs."""
        try:
            state = msgspec.json.decode((self.folder / STATE_FILE).read_bytes(), type=BusState)
            # Killed, it could not say goodbye.
            return state if is_held(Path(state.store) / STORE_LOCK) else None
        except FileNotFoundError:
            return None
        except (OSError, *UNREADABLE) as error:
            raise ServerError(f"{self.folder / STATE_FILE} cannot be read: {error}") from error

    def _tls(self, plan: ServerPlan) -> TlsFiles | None:
        if not plan.tls:
            self._certificate_ends = None
            return None
        made = self.authority().server_certificate(
            self.folder, ("localhost", LOOPBACK, *plan.names), self._clock()
        )
        self._certificate_ends = made.ends
        return TlsFiles(made.certificate, made.key)
