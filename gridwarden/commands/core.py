"""``gridwarden ingest`` and ``gridwarden gateway``: the core's two processes, from one configuration."""

from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from gateway.config import GatewayConfig
from gridwarden.commands.check import complain_about
from gridwarden.console_text import stop, tell, translate
from ingest.opening import CannotRun
from registry.problems import InvalidConfiguration
from registry.reading_files import read_yaml
from registry.validation import problems_from_pydantic
from supervision.output import never_stop_for_the_log


def run_ingest(file: Path) -> None:
    """Normalise and store as `file` describes until SIGTERM or Ctrl-C."""
    from ingest.process import run_ingest as run

    _run(file, run)


def run_gateway(file: Path) -> None:
    """Run rules, cases and the API as `file` describes until SIGTERM or Ctrl-C."""
    from gateway.main import run_gateway as run

    _run(file, run)


def _run(file: Path, run: Callable[[GatewayConfig], None]) -> None:
    never_stop_for_the_log()
    try:
        run(read_config(file))
    except InvalidConfiguration as error:
        for problem in error.problems:
            complain_about(problem)
        stop(tell("{file}: mend this and start again.", file=file))
    except CannotRun as error:
        stop(translate(error.message), code=1)


def config_of(data: Path, named: Path | None = None) -> GatewayConfig | None:
    """The core's configuration: the file that was `named`, else what ``gridwarden up`` keeps in `data`; None
    before its first run.

    Raises `InvalidConfiguration`.
    """
    if named is not None:
        return read_config(named)
    file = data / "run" / "gateway.yaml"
    return read_config(file) if file.exists() else None


def read_config(file: Path) -> GatewayConfig:
    """The configuration in `file`; raises `InvalidConfiguration` with every problem."""
    document = read_yaml(file)
    if document.problems:
        raise InvalidConfiguration(document.problems)
    try:
        return GatewayConfig.model_validate(document.data or {})
    except ValidationError as error:
        raise InvalidConfiguration(
            problems_from_pydantic(document, error, file, model=GatewayConfig)
        ) from error
