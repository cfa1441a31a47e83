"""``gridwarden operations copy``: a site moves from SQLite to PostgreSQL, or back."""

from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from cases.store import DatabaseInUse, DatabaseTooNew, OperationsStore, StoreUnavailable
from cases.store.copying import NotEmpty, NothingThere
from cases.store.copying import copy as copy_all
from gateway.config import GatewayConfig
from gateway.operations import OPERATIONS, file_store, operations_store
from gridwarden.backup.steps import step
from gridwarden.commands.check import complain_about
from gridwarden.commands.core import config_of
from gridwarden.console_text import say, stop, tell, translate
from links.database_address import BadAddress, Login
from registry.problems import InvalidConfiguration
from supervision.locks import InUse, Lock


@dataclass(frozen=True)
class Where:
    """Which installation."""

    data: Path
    config: Path | None


def copy(to: str, where: Where, password_file: Path | None, ca_file: Path | None) -> None:
    """Copy to the place `to`; ends the process with 1 when that is not possible."""
    config = _config_of(where)
    try:
        target = _store_at(to, Login(password_file, ca_file))
    except BadAddress as error:
        stop(translate(error.message))
    try:
        with ExitStack() as stack:
            stack.callback(Lock(config.data / "gateway.lock").release)
            source = stack.enter_context(closing(operations_store(config)))
            stack.enter_context(closing(target))
            _refuse_nonsense(config, source, target)
            if config.operations is not None:
                with source.connection():  # from here on no gateway anywhere writes there
                    pass
            with step(tell("copying")) as about:
                rows = copy_all(source, target, about.progress)
                about.note(tell("{rows} rows", rows=f"{rows:,}"))
    except InUse as error:
        stop(tell("The gateway runs here (process {pid}): stop it first.", pid=error.process or "?"), code=1)
    except (NotEmpty, NothingThere, DatabaseInUse, DatabaseTooNew) as error:
        stop(translate(error.message), code=1)
    except (StoreUnavailable, OSError) as error:
        stop(str(error), code=1)
    _tell_what_next(config, to, password_file, ca_file)


def _config_of(where: Where) -> GatewayConfig:
    try:
        config = config_of(where.data, where.config)
    except InvalidConfiguration as error:
        for problem in error.problems:
            complain_about(problem)
        stop(tell("There is no installation here: name one with --data or --config."))
    if config is None:
        stop(tell("{folder} does not exist yet", folder=where.data))
    return config


def _store_at(to: str, login: Login) -> OperationsStore:
    if "://" in to:
        return OperationsStore(to, login)
    return file_store(Path(to).absolute())


def _refuse_nonsense(config: GatewayConfig, source: OperationsStore, target: OperationsStore) -> None:
    if str(source.database) == str(target.database):
        stop(tell("{database} is where they are already.", database=str(source.database)))
    file = config.data / OPERATIONS
    if config.operations is None and not file.exists():
        stop(tell("{file} does not exist: there is nothing to copy.", file=file))


def _tell_what_next(config: GatewayConfig, to: str, password_file: Path | None, ca_file: Path | None) -> None:
    say("")
    if "://" not in to:
        say(tell("For gateway.yaml: remove the section `operations`. The gateway then uses {file}.", file=to))
        return
    say(tell("For gateway.yaml:"))
    say("operations:")
    for key, value in (("url", to), ("password_file", password_file), ("ca_file", ca_file)):
        if value is not None:
            say(f"  {key}: {value.absolute() if isinstance(value, Path) else value}")
    if config.operations is None:
        file = config.data / OPERATIONS
        say(tell("Then move {file} away: from the gateway's next start on it is out of date.", file=file))
