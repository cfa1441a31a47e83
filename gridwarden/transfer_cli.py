"""``gridwarden export`` and ``import``: readings in files."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from gridwarden.console_text import _
from gridwarden.options import DEFAULT_DATA, DataFolder, ServicesConfig, Since, Until
from gridwarden.teaching import Command, Commands

app = typer.Typer(cls=Commands, rich_markup_mode=None)

command = partial(app.command, cls=Command)


@command(
    help=_("Write stored readings into a file: line protocol (.lp) or CSV, compressed with .gz, or Parquet.")
    + "\n\n"
    + _("Example: gridwarden export november.csv.gz --from 2026-11-01 --to 2026-12-01"),
)
def export(
    file: Annotated[Path, typer.Argument(help=_("File to write: .lp, .csv, .lp.gz, .csv.gz or .parquet."))],
    data: DataFolder = DEFAULT_DATA,
    config: ServicesConfig = None,
    since: Since = "",
    until: Until = "",
    device: Annotated[list[str] | None, typer.Option(help=_("Only of this device; may be repeated."))] = None,
    influx: Annotated[
        bool, typer.Option("--influx", help=_("What InfluxDB holds instead of the embedded store."))
    ] = False,
) -> None:
    """Export."""
    from gridwarden.commands import transfer as module

    extent = module.Extent(since, until, tuple(device or ()))
    module.export(file, module.Where(data, config), extent, "influx" if influx else "")


@command(
    "import",
    help=_("Write a file of readings to the installation's InfluxDB, and make their roll-ups.")
    + "\n\n"
    + _("Example: gridwarden import november.csv.gz"),
)
def import_(
    file: Annotated[Path, typer.Argument(help=_("A file that export wrote, or any line protocol in ns."))],
    data: DataFolder = DEFAULT_DATA,
    config: ServicesConfig = None,
) -> None:
    """Import."""
    from gridwarden.commands import transfer as module

    module.import_(file, module.Where(data, config))
