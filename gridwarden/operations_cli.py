"""``gridwarden operations``: its sub-command and its options."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from gridwarden.console_text import _
from gridwarden.options import DEFAULT_DATA, DataFolder, ServicesConfig
from gridwarden.teaching import Command, Commands

app = typer.Typer(cls=Commands, rich_markup_mode=None)

command = partial(app.command, cls=Command)


@app.callback()
def common() -> None:
    """The operations database."""


@command(
    help=_("Copy alarms, cases and the rules' state to another database, from where they are configured now.")
    + "\n\n"
    + _("Example: gridwarden operations copy --to postgresql://gridwarden@127.0.0.1/gridwarden")
    + "\n\n"
    + _("The gateway must not run. What is copied from stays as it is; the target must be empty.")
)
def copy(
    to: Annotated[
        str, typer.Option(metavar="PLACE", help=_("postgresql://USER@HOST/DATABASE, or a file (SQLite)."))
    ],
    data: DataFolder = DEFAULT_DATA,
    config: ServicesConfig = None,
    password_file: Annotated[
        Path | None, typer.Option(help=_("File (mode 600) with the password of the target's user."))
    ] = None,
    ca_file: Annotated[
        Path | None, typer.Option(help=_("Certificate authority of the target's server."))
    ] = None,
) -> None:
    """Copy."""
    from gridwarden.commands import operations as module

    module.copy(to, module.Where(data, config), password_file, ca_file)
