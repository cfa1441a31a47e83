"""A backup on disk: a folder, or one tar file (``.tar``, ``.tar.gz``, ``.tgz``), the same inside.

It is written beside its name and renamed when it is complete, so that a backup is there as a whole or not at
all. Only its owner may read it: it holds names, telephone numbers and what happened in people's homes.
"""

import hashlib
import io
import os
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

import msgspec

from gridwarden.backup import manifest as manifests
from gridwarden.backup.manifest import BadArchive, File, Manifest
from language import N_, Message

Progress = Callable[[int, int], None]
"""Told (bytes done, bytes in all)."""

_CHUNK: Final = 1 << 20
_LEVEL: Final = 6
"""Of gzip: the last third of its levels costs three times as long for a hundredth of the size."""


def is_tar(path: Path) -> bool:
    """Whether a backup of this name is one file."""
    return path.name.endswith((".tar", ".tar.gz", ".tgz"))


class ArchiveWriter:
    """Makes a backup at `target`, which must not exist. A context manager; leaves nothing half made.

    Raises OSError when it cannot be written.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.workspace = target.with_name(f".{target.name}.work")
        """A folder on the same disk for what is being made; gone afterwards."""
        self._partial = target.with_name(f".{target.name}.partial")
        self._tar: tarfile.TarFile | None = None
        self._files: list[File] = []

    def __enter__(self) -> Self:
        self.target.parent.mkdir(parents=True, exist_ok=True)
        self._clear()
        self.workspace.mkdir(mode=0o700)
        if not is_tar(self.target):
            self._partial.mkdir(mode=0o700)
            return self
        os.close(os.open(self._partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        if self.target.name.endswith("gz"):
            self._tar = tarfile.open(self._partial, "w:gz", compresslevel=_LEVEL)
        else:
            self._tar = tarfile.open(self._partial, "w:")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._tar is not None:
            self._tar.close()
        self._clear()

    def add(self, path: str, source: Path) -> None:
        """Copy the file `source` into the backup as `path`."""
        with source.open("rb") as content:
            self._write(path, content, source.stat().st_size)

    def finish(self, manifest: Manifest) -> Manifest:
        """Write the manifest, with the files that were added, and give the backup its name."""
        content = manifests.encode(msgspec.structs.replace(manifest, files=[*self._files]))
        self._write(manifests.NAME, io.BytesIO(content), len(content))
        if self._tar is not None:
            self._tar.close()
            _sync(self._partial)
        self._partial.rename(self.target)
        _sync(self.target.parent)
        return manifests.decode(content)

    def _write(self, path: str, content: IO[bytes], size: int) -> None:
        hashed = _Hashed(content)
        if self._tar is not None:
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = size, 0o600
            self._tar.addfile(entry, hashed)
        else:
            to = self._partial / path
            to.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                shutil.copyfileobj(hashed, file, _CHUNK)
                file.flush()
                os.fsync(file.fileno())
        self._files.append(File(path, hashed.length, hashed.hexdigest()))

    def _clear(self) -> None:
        for left in (self.workspace, self._partial):
            if left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink(missing_ok=True)


class Archive:
    """A backup to read. Raises `BadArchive` and OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest = manifests.decode(self._manifest())

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(file.size for file in self.manifest.files)

    def read(self, path: str) -> bytes:
        """The content of one small file, not yet verified; empty when it is not in the backup."""
        for name, content in self._members():
            if name == path:
                return content.read()
        return b""

    def verify(self, progress: Progress = lambda done, total: None) -> None:
        """Read everything and compare it with the manifest; raises `BadArchive`."""
        self._each(lambda file, content: None, progress)

    def extract(
        self, place: Callable[[str], Path | None], progress: Progress = lambda done, total: None
    ) -> None:
        """Write every file to where `place` puts its path; None leaves it out. Verifies as `verify` does.

        Files are made readable for their owner only; existing ones are replaced.
        """

        def write(file: File, content: "_Hashed") -> None:
            to = place(file.path)
            if to is None:
                return
            to.parent.mkdir(parents=True, exist_ok=True)
            to.unlink(missing_ok=True)
            with os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                shutil.copyfileobj(content, out, _CHUNK)
                out.flush()
                os.fsync(out.fileno())

        self._each(write, progress)

    def _each(self, use: "Callable[[File, _Hashed], None]", progress: Progress) -> None:
        wanted = {file.path: file for file in self.manifest.files}
        done, total = 0, self.size
        for path, content in self._members():
            if path == manifests.NAME:
                continue
            file = wanted.pop(path, None)
            if file is None:
                raise BadArchive(
                    Message(N_("it holds {file}, which its manifest does not name"), {"file": path})
                )

            def tell(read: int, before: int = done) -> None:
                progress(before + read, total)

            hashed = _Hashed(content, tell)
            use(file, hashed)
            while hashed.read(_CHUNK):
                pass
            if (hashed.length, hashed.hexdigest()) != (file.size, file.sha256):
                raise BadArchive(Message(N_("{file} in it is damaged (wrong checksum)"), {"file": path}))
            done += file.size
        if wanted:
            raise BadArchive(Message(N_("{file} is missing in it"), {"file": min(wanted)}))

    def _members(self) -> Iterator[tuple[str, IO[bytes]]]:
        if self.path.is_dir():
            for path in sorted(self.path.rglob("*")):
                if not path.is_dir():
                    with path.open("rb") as file:
                        yield path.relative_to(self.path).as_posix(), file
            return
        with self._opened() as tar:
            for entry in tar:
                content = tar.extractfile(entry) if entry.isreg() else None
                if content is None:
                    raise BadArchive(Message(N_("{file} in it is no plain file"), {"file": entry.name}))
                yield entry.name, content

    def _manifest(self) -> bytes:
        missing = Message(N_("it has no manifest: it is no backup, or an incomplete one"))
        if self.path.is_dir():
            try:
                return (self.path / manifests.NAME).read_bytes()
            except FileNotFoundError as error:
                raise BadArchive(missing) from error
        with self._opened() as tar:
            for entry in tar:
                if entry.name == manifests.NAME and (content := tar.extractfile(entry)) is not None:
                    return content.read()
        raise BadArchive(missing)

    @contextmanager
    def _opened(self) -> Iterator[tarfile.TarFile]:
        try:
            with tarfile.open(self.path, "r:*") as tar:
                yield tar
        except (tarfile.TarError, zlib.error, EOFError, ValueError) as error:
            raise BadArchive(Message(N_("it cannot be read: {why}"), {"why": error})) from error
        except OSError as error:
            if error.errno is None:  # gzip's own: a wrong checksum, no gzip file
                raise BadArchive(Message(N_("it cannot be read: {why}"), {"why": error})) from error
            raise


class _Hashed(io.RawIOBase):
    """A file as it is read, with its checksum so far."""

    def __init__(self, content: IO[bytes], tell: Callable[[int], None] = lambda _: None) -> None:
        self.length = 0
        self._content = content
        self._hash = hashlib.sha256()
        self._tell = tell

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        chunk = self._content.read(size)
        self.length += len(chunk)
        self._hash.update(chunk)
        self._tell(self.length)
        return chunk

    def hexdigest(self) -> str:
        """SHA-256 of what was read."""
        return self._hash.hexdigest()


def _sync(path: Path) -> None:
    """Have the disk keep what was written to `path`."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
