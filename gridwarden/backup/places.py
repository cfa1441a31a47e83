"""Where each file of a backup goes, and how it gets there: written beside its place, renamed at the end."""

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from gateway.operations import OPERATIONS
from gridwarden.backup.archive import Archive
from gridwarden.backup.manifest import CONFIGURATION, STREAMS
from gridwarden.installation import CORE_FILES, LEDGER, Installation, configured_by, secret_files

READABLE: Final = 0o644
PRIVATE: Final = 0o600


@dataclass(frozen=True, slots=True)
class Target:
    """Where a backup goes: the folder of a ``gridwarden up``, or what a configuration file says."""

    root: Path | None
    config_file: Path

    @classmethod
    def of_up(cls, folder: Path) -> "Target":
        """The folder of a ``gridwarden up``."""
        root = folder.resolve()
        return cls(root, root / "run" / "gateway.yaml")

    @classmethod
    def of_config(cls, file: Path) -> "Target":
        """What `file` says; where there is none yet, the backup's own configuration is put there."""
        return cls(None, file.resolve())


class Places:
    """The places of one installation. `settle` is the only thing that touches what is there."""

    def __init__(self, archive: Archive, target: Target) -> None:
        """Raises `registry.problems.InvalidConfiguration`, OSError."""
        self.target = target
        self.moved: list[Path] = []
        """What was here before, moved aside."""
        self._stamp = time.strftime("%Y%m%d-%H%M%S")
        self._secrets = archive.manifest.secrets
        self._files = [file.path for file in archive.manifest.files]
        self._keeps_config = target.root is None and target.config_file.exists()
        self.installation = self._read_installation(archive)

    def of(self, path: str) -> Path | None:
        """Where the file `path` of the backup belongs; None: nowhere here."""
        config = self.installation.config
        folder, _, rest = path.partition("/")
        if folder == "site":
            return config.site / rest
        if folder == "core":
            return config.data / rest
        if path == STREAMS:
            return config.data / STREAMS
        if path == CONFIGURATION:
            return None  # `_read_installation` has written it
        return self._secret(rest)

    def beside(self, path: str) -> Path | None:
        """Where the file `path` of the backup is written first: on the same disk as its place."""
        place = self.of(path)
        if place is None:
            return None
        site = self.installation.config.site
        if path.startswith("site/"):
            return _beside(site) / place.relative_to(site)
        return _beside(place)

    def taken(self) -> list[Path]:
        """What is in the way of the backup's files."""
        config = self.installation.config
        known = [config.site, *(config.data / f"{name}{end}" for name in CORE_FILES for end in _ENDS)]
        return [path for path in known if _holds_something(path)]

    def settle(self) -> None:
        """Move what is in the way aside and give the new files their names, the ledger last."""
        for path in self.taken():
            aside = path.with_name(f"{path.name}.before-{self._stamp}")
            path.rename(aside)
            self.moved.append(aside)
        config = self.installation.config
        if _beside(config.site).exists():
            if config.site.is_dir():
                config.site.rmdir()  # empty, or it would have been moved aside
            _settle(_beside(config.site), config.site, READABLE)
        passing = {STREAMS, *([] if config.operations is None else [f"core/{OPERATIONS}"])}
        private = [name for name in self._files if not name.startswith("site/") and name not in passing]
        for name in sorted(private, key=lambda name: name == f"core/{LEDGER}"):
            place = self.of(name)
            if place is not None:
                _settle(_beside(place), place, PRIVATE)
            if place is not None and name.startswith("secrets/"):
                place.parent.chmod(0o700)
        if not self._keeps_config:
            _settle(_beside(self.target.config_file), self.target.config_file, READABLE)

    def clear(self) -> None:
        """Delete what was written beside the places and has not got there."""
        files = filter(None, map(self.beside, self._files))
        for path in {*files, _beside(self.installation.config.site), _beside(self.target.config_file)}:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def _secret(self, name: str) -> Path | None:
        if not self._secrets:
            return None
        if name.endswith("_file"):
            return dict(secret_files(self.installation.config)).get(name)
        return self.installation.secrets / name if self.installation.secrets is not None else None

    def _read_installation(self, archive: Archive) -> Installation:
        """What will be here: by the configuration that is there, else by the backup's."""
        file, root = self.target.config_file, self.target.root
        if self._keeps_config:
            return configured_by(file)
        content = archive.read(CONFIGURATION)
        if root is not None:
            content = _in_folder(yaml.safe_load(content) or {}, root)
        _beside(file).parent.mkdir(parents=True, exist_ok=True)
        _beside(file).write_bytes(content)
        found = configured_by(_beside(file))
        return Installation(found.config, file, root)


_ENDS: Final = ("", "-wal", "-shm")


def _in_folder(config: dict[str, Any], root: Path) -> bytes:
    """The configuration of a ``gridwarden up`` in `root`, with the stores that the backup has."""
    secrets = root / "run" / "secrets"
    bus = config.get("bus") or {}
    bus |= {"user": "core", "password_file": str(secrets / "nats-core")}
    if bus.get("ca_file"):
        bus["ca_file"] = str(secrets / "authority.pem")
    config |= {
        "site": str(root / "site"),
        "data": str(root / "gateway"),
        "edges": str(root / "edges"),
        "bus": bus,
    }
    return yaml.safe_dump(config, allow_unicode=True, sort_keys=False).encode()


def _beside(place: Path) -> Path:
    return place.with_name(f".{place.name}.restoring")


def _holds_something(path: Path) -> bool:
    return any(path.iterdir()) if path.is_dir() else path.exists()


def _settle(fresh: Path, place: Path, mode: int) -> None:
    """Give `fresh` its name; it belongs to whom the folder belongs, and is as open as `mode` says."""
    owner = place.parent.stat()
    for path in _with_content(fresh):
        path.chmod(mode | 0o111 if path.is_dir() and mode == READABLE else mode)
        if os.geteuid() == 0:
            os.chown(path, owner.st_uid, owner.st_gid)
    fresh.rename(place)


def _with_content(path: Path) -> Iterator[Path]:
    yield path
    if path.is_dir():
        yield from path.rglob("*")
