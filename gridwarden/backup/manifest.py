"""What a backup says of itself: ``manifest.json``, with the SHA-256 of every other file of it."""

import hashlib
import re
from typing import Final

import msgspec

from language import N_, Message

FORMAT: Final = 1
NAME: Final = "manifest.json"

STREAMS: Final = "streams.db"
CONFIGURATION: Final = "configuration/gateway.yaml"
_FOLDERS: Final = ("site/", "core/", "configuration/", "secrets/")
_PART: Final = re.compile(r"[^/\0]{1,255}")


class BadArchive(Exception):
    """The backup is damaged, incomplete or of a version that this program does not know. Use another."""

    def __init__(self, message: Message) -> None:
        self.message = message
        super().__init__(str(message))


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of a backup."""

    path: str
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """See the fields; times in ns since 1970 UTC."""

    format: int = FORMAT
    gridwarden: str
    """The version that made it."""
    site: str
    """The site's name, for people."""
    taken: int
    """Everything that was acknowledged before is in it."""
    root: str = ""
    """The folder of the ``gridwarden up`` that it was made of; empty for a configured installation."""
    schema: str = ""
    """Schema of the operations database."""
    stores: list[str] = []
    secrets: bool = False
    batches: int = 0
    """Batches that were on their way."""
    waiting: dict[str, int] = {}
    """Of those, how many waited in each local edge's outbox."""
    files: list[File] = []
    digest: str = ""
    """SHA-256 of all of this without the digest."""

    def sealed(self) -> "Manifest":
        """The same, with its digest."""
        return msgspec.structs.replace(self, digest=_digest(self))


def encode(manifest: Manifest) -> bytes:
    """The file's content."""
    return msgspec.json.format(msgspec.json.encode(manifest.sealed()), indent=1) + b"\n"


def decode(content: bytes) -> Manifest:
    """The manifest in `content`; raises `BadArchive`."""
    try:
        said = msgspec.json.decode(content, type=_Version)
    except msgspec.DecodeError as error:
        raise BadArchive(Message(N_("its manifest cannot be read: {why}"), {"why": error})) from error
    if said.format != FORMAT:
        raise BadArchive(
            Message(
                N_("it has format {format} (of version {version}); this program knows format {known} only"),
                {"format": said.format, "version": said.gridwarden, "known": FORMAT},
            )
        )
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except msgspec.DecodeError as error:
        raise BadArchive(Message(N_("its manifest cannot be read: {why}"), {"why": error})) from error
    if manifest.digest != _digest(manifest):
        raise BadArchive(Message(N_("its manifest was changed after it was written")))
    for file in manifest.files:
        if not is_safe(file.path):
            raise BadArchive(Message(N_("its manifest names a file {file}"), {"file": file.path}))
    return manifest


def is_safe(path: str) -> bool:
    """Whether a backup may hold a file of this name: nothing may be written anywhere else by one."""
    if path == STREAMS:
        return True
    parts = path.split("/")
    inside = any(path.startswith(folder) for folder in _FOLDERS)
    return inside and all(_PART.fullmatch(part) and part not in (".", "..") for part in parts)


class _Version(msgspec.Struct):
    format: int
    gridwarden: str = "?"


def _digest(manifest: Manifest) -> str:
    return hashlib.sha256(msgspec.json.encode(msgspec.structs.replace(manifest, digest=""))).hexdigest()
