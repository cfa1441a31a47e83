"""What the core hands out for one box: a token that fits one line.

It says where the core is, which authority signs its certificate, and carries a secret that serves once. The
core keeps nothing that the secret could be learnt from, only the public half of the key it stands for.

The text is ``gw1.`` and base64url of: 16 bytes secret, 32 bytes public key (Ed25519) of the authority, the
edge's id, a zero byte, addresses separated by commas, and 4 bytes of the SHA-256 over all before.
"""

import base64
import binascii
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Final

from language import N_, Message
from links.addresses import Address, InvalidAddress
from links.keys import Key
from readings.subjects import is_token

PREFIX: Final = "gw1."
SECRET_BYTES: Final = 16
AUTHORITY_BYTES: Final = 32
CHECK_BYTES: Final = 4


class InvalidToken(ValueError):
    """The token cannot be used; `message` says why. Copy it anew, or have a new one made."""

    def __init__(self, message: Message) -> None:
        self.message = message
        super().__init__(str(message))


@dataclass(frozen=True, slots=True)
class Invitation:
    """One box is invited to be the edge `edge` of the core at `addresses`."""

    edge: str
    addresses: tuple[Address, ...]
    authority: bytes
    """Public key of the authority that signs the core's certificate."""
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(SECRET_BYTES), repr=False)

    @property
    def key(self) -> Key:
        """The key that lets the box in once."""
        return Key.of(
            hashlib.sha256(b"gridwarden invitation 1\0" + self.edge.encode() + self.secret).digest()
        )

    @property
    def token(self) -> str:
        """The line to copy."""
        where = ",".join(map(str, self.addresses))
        body = self.secret + self.authority + self.edge.encode() + b"\0" + where.encode()
        return PREFIX + base64.urlsafe_b64encode(body + _check(body)).rstrip(b"=").decode()

    @classmethod
    def read(cls, token: str) -> "Invitation":
        """The invitation in `token`; blanks and line ends that came in by copying do not matter.

        Raises `InvalidToken`.
        """
        text = "".join(token.split())
        if not text.startswith(PREFIX):
            raise InvalidToken(Message(N_("this is no token: it begins with {prefix}"), {"prefix": PREFIX}))
        coded = text.removeprefix(PREFIX)
        try:
            whole = base64.b64decode(coded + "=" * (-len(coded) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise InvalidToken(DAMAGED) from error
        body, check = whole[:-CHECK_BYTES], whole[-CHECK_BYTES:]
        if _check(body) != check:
            raise InvalidToken(DAMAGED)
        head = SECRET_BYTES + AUTHORITY_BYTES
        edge, _, where = body[head:].partition(b"\0")
        try:
            found = cls(
                edge.decode(),
                tuple(map(Address.parse, where.decode().split(","))),
                body[SECRET_BYTES:head],
                body[:SECRET_BYTES],
            )
        except (InvalidAddress, UnicodeDecodeError) as error:
            raise InvalidToken(DAMAGED) from error
        if len(body) <= head or not is_token(found.edge):
            raise InvalidToken(DAMAGED)
        return found


DAMAGED: Final = Message(
    N_("the token is not whole: copy all of it, from {prefix} to its end"), {"prefix": PREFIX}
)


def _check(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()[:CHECK_BYTES]
