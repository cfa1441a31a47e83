"""``gridwarden gateway``: one gateway process from its configuration file."""

from pathlib import Path

from pydantic import ValidationError

from gateway.config import GatewayConfig
from gateway.main import GatewayFailed, run_gateway
from gridwarden.commands.check import complain_about
from gridwarden.console_text import stop, tell, translate
from registry.problems import InvalidConfiguration
from registry.reading_files import read_yaml
from registry.validation import problems_from_pydantic


def run(file: Path) -> None:
    """Run the gateway that `file` describes until SIGTERM or Ctrl-C."""
    try:
        config = read_config(file)
        run_gateway(config)
    except InvalidConfiguration as error:
        for problem in error.problems:
            complain_about(problem)
        stop(tell("{file}: mend this and start again.", file=file))
    except GatewayFailed as error:
        stop(translate(error.message), code=1)


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
