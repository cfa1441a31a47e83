"""The one place that knows where the operations database is: a file in the data folder, or a server."""

from pathlib import Path
from typing import Final

from cases.store import DatabaseInUse, DatabaseTooNew, OperationsStore, StoreUnavailable
from gateway.config import GatewayConfig
from ingest.opening import CannotRun, cannot_use, open_file
from language import N_, Message

OPERATIONS: Final = "operations.db"
"""The file in the core's data folder, where no server is configured; in a backup always."""


def file_store(path: Path) -> OperationsStore:
    """The operations database in a SQLite file; nothing is opened yet."""
    return OperationsStore(f"sqlite:///{path}")


def operations_store(config: GatewayConfig) -> OperationsStore:
    """The operations database of an installation; nothing is opened yet."""
    if config.operations is not None:
        return OperationsStore(config.operations.url, config.operations.login)
    return file_store(config.data / OPERATIONS)


def open_operations(config: GatewayConfig) -> OperationsStore:
    """The same, brought up to date, and nobody else's while this process lives. Raises `CannotRun`."""
    store = open_file(config.data, lambda: operations_store(config))
    try:
        if config.operations is not None:
            _refuse_to_forget(store, config.data / OPERATIONS)
        store.migrate()
    except (DatabaseTooNew, DatabaseInUse) as error:
        raise CannotRun(error.message) from error
    except StoreUnavailable as error:
        place = config.data if config.operations is None else str(store.database)
        raise cannot_use(place, error) from error
    return store


def _refuse_to_forget(store: OperationsStore, file: Path) -> None:
    """An empty database beside a file that is in use until now: case numbers would begin again at one."""
    if file.exists() and store.revision() is None:
        raise CannotRun(
            Message(
                N_(
                    "{database} is empty, and {file} holds alarms and cases. Copy them first: gridwarden"
                    " operations copy, or move the file away to begin without them"
                ),
                {"database": str(store.database), "file": file},
            )
        )
