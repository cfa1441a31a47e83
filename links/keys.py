"""NKeys: the Ed25519 keys by which NATS knows a user. The server learns the public half only."""

import base64
import binascii
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import nkeys  # type: ignore[import-untyped]

from links.secret_files import read_secret

PUBLIC_LENGTH: Final = 56
SEED_LENGTH: Final = 58


class InvalidKey(ValueError):
    """This text is no key of a NATS user. Look where it was copied from."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key pair in NATS' spelling: `seed` (``SU…``) never leaves its machine, `public` (``U…``) may."""

    seed: str = field(repr=False)
    public: str

    @classmethod
    def new(cls) -> "Key":
        """A key that nobody has had before."""
        return cls.of(secrets.token_bytes(32))

    @classmethod
    def of(cls, secret: bytes) -> "Key":
        """The key that 32 secret bytes stand for."""
        return cls.from_seed(nkeys.encode_seed(secret, nkeys.PREFIX_BYTE_USER).decode())

    @classmethod
    def from_seed(cls, seed: str) -> "Key":
        """The key with this seed; raises `InvalidKey`."""
        seed = seed.strip()
        try:
            if len(seed) != SEED_LENGTH:
                raise ValueError("of another length")  # noqa: TRY301 - one sentence for all of them
            prefix, raw = nkeys.decode_seed(seed.encode("ascii"))
            intact = nkeys.encode_seed(bytes(raw), prefix).decode() == seed  # decoding checks no checksum
            public = nkeys.from_seed(bytearray(seed, "ascii")).public_key.decode()
        except (nkeys.NkeysError, ValueError) as error:
            raise InvalidKey("this is no seed of a NATS user") from error
        if not intact:
            raise InvalidKey("this is no seed of a NATS user: its checksum is wrong")
        return cls(seed, public_key(public))


def read_key(path: Path) -> Key:
    """The key whose seed stands in the file.

    Raises `InvalidKey`, `links.secret_files.SecretExposed` (others can read it), OSError.
    """
    try:
        return Key.from_seed(read_secret(path))
    except InvalidKey as error:
        raise InvalidKey(f"{path} holds no key") from error


def public_key(text: str) -> str:
    """`text` when it is the public key of a user, checksum and all; raises `InvalidKey`."""
    text = text.strip()
    try:
        raw = base64.b32decode(text) if len(text) == PUBLIC_LENGTH else b""
    except (binascii.Error, ValueError):
        raw = b""
    of_a_user = raw[:1] == bytes((nkeys.PREFIX_BYTE_USER,))
    if not of_a_user or binascii.crc_hqx(raw[:-2], 0).to_bytes(2, "little") != raw[-2:]:
        raise InvalidKey("this is no public key of a NATS user (U…)")  # unquoted: it may be the seed
    return text
