"""Who may speak for which edge: the register that the message bus's users are made from.

`Enrolments` is the state and its rules, given the time; `Register` is the file, which one process changes at
a time. It holds public keys only: neither a box nor an invitation can be imitated with what stands in it.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

import msgspec

from links.admission import UNREADABLE
from links.keys import InvalidKey, public_key
from links.secret_files import check_private, make_private, write_secret
from readings.subjects import is_token

SECOND: Final = 1_000_000_000
LIFETIME: Final = 15 * 60 * SECOND

Refusal = Literal["unknown", "expired", "used", "invalid key", "key in use"]


class Refused(Exception):
    """A box is not let in; `reason` says why, in a word that goes over the wire."""

    def __init__(self, reason: Refusal) -> None:
        self.reason: Refusal = reason
        super().__init__(reason)


class NotEnrolled(Exception):
    """Nobody is enrolled or invited as this edge."""


class RegisterUnusable(Exception):
    """The file of the register cannot be used; the sentence says which and why. Stop."""


class Enrolled(msgspec.Struct, frozen=True):
    """Whoever holds the key `key` speaks for the edge. Times in ns."""

    key: str
    since: int
    local: bool = False
    """An agent on the core's own machine, enrolled by ``gridwarden up`` itself."""


class Invited(msgspec.Struct, frozen=True):
    """Whoever holds the one-time key `key` may enrol until `until`; afterwards only `used_by` may ask again,
    because the answer may have been lost."""

    key: str
    until: int
    used_by: str | None = None


class Enrolments(msgspec.Struct):
    """The register: by edge who is enrolled, who is invited, and when somebody was shut out."""

    edges: dict[str, Enrolled] = msgspec.field(default_factory=dict)
    invited: dict[str, Invited] = msgspec.field(default_factory=dict)
    revoked: dict[str, int] = msgspec.field(default_factory=dict)

    def invite(self, edge: str, key: str, now: int, lifetime: int = LIFETIME) -> Invited:
        """Let the holder of the one-time `key` enrol as `edge`; an earlier invitation is void.

        Raises ValueError for an unusable edge id.
        """
        if not is_token(edge):
            raise ValueError(f"edge id {edge!r} must be 1 to 63 characters of a-z, 0-9 and '-'")
        self.invited[edge] = Invited(public_key(key), now + lifetime)
        return self.invited[edge]

    def redeem(self, edge: str, key: str, now: int) -> None:
        """Enrol `key`, which an invited box showed, as `edge`; raises `Refused`.

        Asking again with the same key is answered as the first time.
        """
        invitation = self.invited.get(edge)
        if invitation is None:
            raise Refused("unknown")
        if now >= invitation.until:
            raise Refused("expired")
        if invitation.used_by is None:
            self.admit(edge, key, now)
            self.invited[edge] = msgspec.structs.replace(invitation, used_by=key)
        elif invitation.used_by != key:
            raise Refused("used")

    def admit(self, edge: str, key: str, now: int, *, local: bool = False) -> None:
        """Enrol `key` as `edge`; whoever was enrolled as it before is shut out. Raises `Refused`.

        A key serves one edge: a box that showed another's would make the server refuse its whole list.
        """
        try:
            key = public_key(key)
        except InvalidKey as error:
            raise Refused("invalid key") from error
        taken = {enrolled.key for name, enrolled in self.edges.items() if name != edge}
        if key in taken or any(key == invited.key for invited in self.invited.values()):
            raise Refused("key in use")
        self.edges[edge] = Enrolled(key, now, local)
        self.revoked.pop(edge, None)

    def revoke(self, edge: str, now: int) -> None:
        """Shut out whoever is enrolled or invited as `edge`; raises `NotEnrolled`."""
        if not any((self.edges.pop(edge, None), self.invited.pop(edge, None))):
            raise NotEnrolled(edge)
        self.revoked[edge] = now

    def forget_expired(self, now: int) -> bool:
        """Drop invitations that have run out; whether there were any."""
        over = [edge for edge, invited in self.invited.items() if now >= invited.until]
        for edge in over:
            del self.invited[edge]
        return bool(over)

    def public_keys(self) -> dict[str, str]:
        """The public key of each edge."""
        return {edge: enrolled.key for edge, enrolled in self.edges.items()}

    def one_time_keys(self) -> dict[str, str]:
        """The public one-time key of each edge that somebody is invited to be."""
        return {edge: invited.key for edge, invited in self.invited.items()}


class Register:
    """The register's file (JSON, mode 600). Reading and changing raise `RegisterUnusable`."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def read(self) -> Enrolments:
        """What stands in it now; nobody is enrolled when there is no file."""
        try:
            return self._read()
        except (OSError, *UNREADABLE) as error:
            raise RegisterUnusable(f"{self.file} cannot be used: {error}") from error

    @contextmanager
    def change(self) -> Iterator[Enrolments]:
        """The register, to be changed; written when the block ends well. Others wait meanwhile."""
        try:
            make_private(self.file.parent)
            lock = os.open(self.file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise RegisterUnusable(f"{self.file} cannot be used: {error}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            enrolments = self.read()
            yield enrolments
            try:
                write_secret(self.file, msgspec.json.format(msgspec.json.encode(enrolments)).decode())
            except OSError as error:
                raise RegisterUnusable(f"{self.file} cannot be written: {error}") from error
        finally:
            os.close(lock)

    @property
    def revision(self) -> str:
        """A word that changes with what stands in it."""
        try:
            return hashlib.sha256(self.file.read_bytes()).hexdigest()[:16]
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise RegisterUnusable(f"{self.file} cannot be used: {error}") from error

    def _read(self) -> Enrolments:
        if not self.file.exists():
            return Enrolments()
        check_private(self.file)
        return msgspec.json.decode(self.file.read_bytes(), type=Enrolments)
