"""Files that only one user may read."""

import os
from pathlib import Path
from typing import Final

FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600
BUS_PASSWORD: Final = "GRIDWARDEN_BUS_PASSWORD"  # noqa: S105 - the name of an environment variable
"""Holds the password of a user of the message bus where no file does."""


class SecretExposed(PermissionError):
    """Others can read a file that holds a secret. Stop; the sentence has the command that mends it."""


def read_secret(path: Path | None, environment: str = "") -> str:
    """The secret in `environment`'s value or in the file, stripped; empty when there is neither.

    Raises `SecretExposed` when others can read the file, OSError when it cannot be read.
    """
    if environment:
        return environment
    if path is None:
        return ""
    check_private(path)
    return path.read_text(encoding="utf-8").strip()


def check_private(path: Path) -> None:
    """Raises `SecretExposed` when others can read the file, OSError when it cannot be looked at.

    What systemd hands over (``LoadCredential=``) is private by its folder: an access list of the service's
    user, which looks like rights of a group.
    """
    handed_over = os.environ.get("CREDENTIALS_DIRECTORY")
    if handed_over and path.absolute().parent == Path(handed_over).absolute():
        return
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise SecretExposed(f"{path}: mode {mode:o} lets others read this secret; run: chmod 600 {path}")


def write_secret(path: Path, text: str) -> None:
    """Write `text` for this user only; whoever reads meanwhile gets the old file or the new one.

    The folder is made when it is missing. Raises OSError.
    """
    make_private(path.parent)
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(
        os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE), "w", encoding="utf-8"
    ) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def make_private(folder: Path) -> None:
    """Make the folder, for this user only; one that exists is left as it is. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
