"""Where the parts of an installation are: all in one folder (``gridwarden up``), or where its configuration
says (services)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from gateway.config import GatewayConfig
from gateway.operations import OPERATIONS
from gridwarden.commands.core import read_config
from ingest.audit import STORES

LEDGER: Final = "ledger.db"
__all__ = [
    "CORE_FILES",
    "LEDGER",
    "OPERATIONS",
    "Installation",
    "configured_by",
    "installed_in",
    "secret_files",
]

CORE_FILES: Final = (LEDGER, OPERATIONS, *STORES.values())
"""The core's databases, in its data folder."""

BUS_SECRETS: Final = ("nats-core", "nats-mqtt", "authority.key", "authority.pem", "enrolments.json")
"""What of the message bus's secrets cannot be made anew: boxes know their core by it (docs/links.md)."""


@dataclass(frozen=True)
class Installation:
    """One installation."""

    config: GatewayConfig
    config_file: Path
    root: Path | None = None
    """The folder of ``gridwarden up``, which runs the message bus itself; None: the bus runs by itself."""

    @property
    def bus_store(self) -> Path | None:
        """The folder of the bus's streams, where the bus is ours to start."""
        return self.root / "nats" if self.root is not None else None

    @property
    def secrets(self) -> Path | None:
        """The folder of the message bus's secrets; None where the bus is somebody else's."""
        if self.root is not None:
            return self.root / "run" / "secrets"
        file = self.config.bus.password_file
        return file.parent if file is not None and file.name in BUS_SECRETS else None

    def secret_files(self) -> dict[str, Path]:
        """The files that hold secrets, those that are there, by a name that holds in every installation."""
        folder = self.secrets
        found = {
            f"secrets/{key}": path
            for key, path in secret_files(self.config)
            if folder is None or folder not in path.parents
        }
        if folder is not None:
            found |= {f"secrets/{name}": folder / name for name in BUS_SECRETS}
            links = [path for path in (folder / "edges").rglob("*") if path.is_file()]
            found |= {f"secrets/{path.relative_to(folder).as_posix()}": path for path in links}
        return {name: path for name, path in sorted(found.items()) if path.is_file()}


def secret_files(config: BaseModel, before: str = "") -> Iterator[tuple[str, Path]]:
    """(key, path) of every file that a configuration names (``bus.password_file`` …)."""
    for name in type(config).model_fields:
        value = getattr(config, name)
        if isinstance(value, BaseModel):
            yield from secret_files(value, f"{before}{name}.")
        elif isinstance(value, Path) and name.endswith("_file"):
            yield f"{before}{name}", value


def installed_in(folder: Path) -> Installation:
    """The installation that ``gridwarden up`` keeps in `folder`.

    Raises `registry.problems.InvalidConfiguration`, also when there is none.
    """
    root = folder.resolve()
    file = root / "run" / "gateway.yaml"
    return Installation(read_config(file), file, root)


def configured_by(file: Path) -> Installation:
    """The installation that `file` describes; raises `registry.problems.InvalidConfiguration`."""
    return Installation(read_config(file), file.resolve())
