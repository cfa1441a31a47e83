"""A backup on disk: whole or not there, and every kind of damage is found."""

import io
import tarfile
from pathlib import Path

import msgspec
import pytest

from gridwarden.backup import manifest as manifests
from gridwarden.backup.archive import Archive, ArchiveWriter
from gridwarden.backup.manifest import BadArchive, Manifest, decode, encode, is_safe

SUFFIXES = ("", ".tar", ".tar.gz")


def made(folder: Path, suffix: str = "") -> Path:
    target = folder / f"backup{suffix}"
    with ArchiveWriter(target) as writer:
        for name, content in {
            "site/site.yaml": b"name: Test\n",
            "core/ledger.db": bytes(range(256)) * 9000,
        }.items():
            source = writer.workspace / "source"
            source.write_bytes(content)
            writer.add(name, source)
        writer.finish(Manifest(gridwarden="0.1.0", site="Test", taken=1))
    return target


def repack(path: Path, change: dict[str, bytes | None]) -> None:
    """Change files inside a backup; None removes one."""
    if path.is_dir():
        for name, content in change.items():
            if content is None:
                (path / name).unlink()
            else:
                (path / name).write_bytes(content)
        return
    with tarfile.open(path) as tar:
        kept = {entry.name: tar.extractfile(entry).read() for entry in tar}  # type: ignore[union-attr]
    for name, content in change.items():
        kept.pop(name, None)
        if content is not None:
            kept[name] = content
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as tar:
        for name, content in kept.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_went_in_comes_out_and_only_the_owner_may_read_it(tmp_path: Path, suffix: str) -> None:
    path = made(tmp_path, suffix)
    assert path.stat().st_mode & 0o077 == 0
    archive = Archive(path)
    told: list[tuple[int, int]] = []
    archive.verify(lambda done, total: told.append((done, total)))
    assert told[-1] == (archive.size, archive.size)
    archive.extract(lambda name: tmp_path / "out" / name if name != "site/site.yaml" else None)
    assert (tmp_path / "out/core/ledger.db").read_bytes() == bytes(range(256)) * 9000
    assert (tmp_path / "out/core/ledger.db").stat().st_mode & 0o077 == 0
    assert not (tmp_path / "out/site").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_one_that_was_interrupted_is_not_there(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"backup{suffix}"

    def begin() -> None:
        with ArchiveWriter(target) as writer:
            source = writer.workspace / "source"
            source.write_bytes(b"x")
            writer.add("site/site.yaml", source)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        begin()
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"core/ledger.db": bytes(range(256)) * 8999 + bytes(256)}, "core/ledger.db in it is damaged"),
        ({"core/ledger.db": b"short"}, "core/ledger.db in it is damaged"),
        ({"core/ledger.db": None}, "core/ledger.db is missing"),
        ({"site/more.yaml": b"x"}, "it holds site/more.yaml, which its manifest does not name"),
        ({"manifest.json": None}, "no manifest"),
        ({"manifest.json": b"{"}, "manifest cannot be read"),
        ({"manifest.json": b'{"format": 1, "gridwarden": "0.1.0"}'}, "manifest cannot be read"),
        ({"manifest.json": b'{"format": 9, "gridwarden": "7.0"}'}, r"format 9 .*knows format 1 only"),
    ],
)  # fmt: skip
def test_damage_is_found(tmp_path: Path, suffix: str, change: dict[str, bytes | None], why: str) -> None:
    path = made(tmp_path, suffix)
    repack(path, change)
    with pytest.raises(BadArchive, match=why):
        Archive(path).verify()


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_half_a_file_is_no_backup(tmp_path: Path, suffix: str) -> None:
    path = made(tmp_path, suffix)
    content = path.read_bytes()
    for part in (0, 100, len(content) // 2, 9 * len(content) // 10):
        path.write_bytes(content[:part])
        with pytest.raises(BadArchive):
            Archive(path).verify()


def test_a_flipped_bit_anywhere_is_found(tmp_path: Path) -> None:
    path = made(tmp_path, ".tar.gz")
    content = bytearray(path.read_bytes())
    found = 0
    for place in range(20, len(content) - 8, len(content) // 40):
        content[place] ^= 0x10
        path.write_bytes(content)
        try:
            archive = Archive(path)
            archive.verify()
            archive.extract(lambda name: tmp_path / "out" / name)
            assert (tmp_path / "out/core/ledger.db").read_bytes() == bytes(range(256)) * 9000
        except BadArchive:
            found += 1
        content[place] ^= 0x10
    assert found > 30


def test_a_manifest_that_was_changed_is_noticed() -> None:
    manifest = Manifest(gridwarden="0.1.0", site="Test", taken=1)
    assert decode(encode(manifest)).site == "Test"
    with pytest.raises(BadArchive, match="changed after it was written"):
        decode(encode(manifest).replace(b'"Test"', b'"Best"'))


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "site/../../etc/passwd", "core/", "elsewhere/x", "site//x", "site/./x", "manifest.json"],
)
def test_a_backup_writes_nowhere_else(path: str) -> None:
    assert not is_safe(path)
    files = [manifests.File(path, 1, "0" * 64)]
    manifest = msgspec.structs.replace(Manifest(gridwarden="0.1.0", site="", taken=1), files=files)
    with pytest.raises(BadArchive, match="names a file"):
        decode(encode(manifest))


def test_a_link_in_a_tar_file_is_refused(tmp_path: Path) -> None:
    path = made(tmp_path, ".tar")
    with tarfile.open(path, "a") as tar:
        entry = tarfile.TarInfo("site/link")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(entry)
    with pytest.raises(BadArchive, match="no plain file"):
        Archive(path).verify()
