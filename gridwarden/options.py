"""Options that several sub-commands share, with their help."""

from pathlib import Path
from typing import Annotated

import typer

from gridwarden.console_text import _

DEFAULT_DATA = Path("var")
DataFolder = Annotated[Path, typer.Option("--data", help=_("Where everything is kept."))]
ServicesConfig = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", help=_("The core's configuration (YAML), where services run instead of up.")
    ),
]
Since = Annotated[str, typer.Option("--from", metavar="TIME", help=_("From this time on: 2026-11-30T18:00"))]
Until = Annotated[str, typer.Option("--to", metavar="TIME", help=_("Until then; default: now."))]
