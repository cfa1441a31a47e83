"""``gridwarden influx``: its sub-commands and their options."""

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from gridwarden.console_text import _
from gridwarden.options import DEFAULT_DATA, DataFolder, ServicesConfig, Since, Until
from gridwarden.teaching import Command, Commands

app = typer.Typer(cls=Commands, rich_markup_mode=None)

command = partial(app.command, cls=Command)


class Wished(StrEnum):
    """Which InfluxDB it is."""

    AUTO = "auto"
    ONE = "1"
    TWO = "2"
    THREE = "3"


@app.callback()
def common() -> None:
    """InfluxDB."""


@command(
    help=_("Make an InfluxDB ready: database, how long it keeps what, one user that writes, one that reads.")
    + "\n\n"
    + _("Example: gridwarden influx setup --url http://127.0.0.1:8086 --admin-user admin --dry-run"),
)
def setup(
    url: Annotated[str, typer.Option(help=_("The server."))] = "http://127.0.0.1:8086",
    version: Annotated[
        Wished, typer.Option(help=_("Which InfluxDB it is; auto: what it says itself."))
    ] = Wished.AUTO,
    database: Annotated[
        str, typer.Option(help=_("Database (2.x: the name its buckets are mapped to)."))
    ] = "gridwarden",
    admin_user: Annotated[
        str, typer.Option(envvar="GRIDWARDEN_INFLUX_ADMIN", help=_("1.x: an administrator."))
    ] = "",
    admin_password_file: Annotated[
        Path | None,
        typer.Option(
            help=_(
                "File (mode 600) with the administrator's password or token; "
                "or set GRIDWARDEN_INFLUX_ADMIN_PASSWORD."
            )
        ),
    ] = None,
    org: Annotated[str, typer.Option(help=_("2.x: the organisation."))] = "",
    secrets: Annotated[
        Path, typer.Option(help=_("Folder for the passwords of both users (mode 700)."))
    ] = Path("var/run/secrets"),
    writer: Annotated[str, typer.Option(help=_("The user that reads and writes."))] = "gridwarden",
    reader: Annotated[str, typer.Option(help=_("The user that only reads."))] = "grafana",
    raw_days: Annotated[float, typer.Option(min=0, help=_("Days that readings are kept; 0: for ever."))] = 90,
    minute_days: Annotated[
        float, typer.Option(min=0, help=_("Days that their roll-ups of a minute are kept."))
    ] = 730,
    hour_days: Annotated[
        float, typer.Option(min=0, help=_("Days that their roll-ups of an hour are kept."))
    ] = 0,
    records_days: Annotated[
        float, typer.Option(min=0, help=_("Days that alarms and cases are kept there."))
    ] = 0,
    shorten: Annotated[
        bool, typer.Option("--shorten", help=_("Also where that removes what is older."))
    ] = False,
    new_passwords: Annotated[
        bool, typer.Option("--new-passwords", help=_("Give users that are there new passwords."))
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=_("Only say what would be done."))] = False,
) -> None:
    """Make an InfluxDB ready."""
    from gridwarden.commands import influx_setup as module

    module.run(
        module.Options(
            url=url,
            version=version.value,
            database=database,
            admin_user=admin_user,
            admin_password_file=admin_password_file,
            org=org,
            secrets=secrets,
            writer=writer,
            reader=reader,
            days=(raw_days, minute_days, hour_days, records_days),
            shorten=shorten,
            new_passwords=new_passwords,
            dry_run=dry_run,
        )
    )


@command(
    help=_("Copy what the embedded store holds to InfluxDB, while everything runs; again: nothing twice.")
    + "\n\n"
    + _("Example: gridwarden influx fill --from 2026-11-01"),
)
def fill(
    data: DataFolder = DEFAULT_DATA, config: ServicesConfig = None, since: Since = "", until: Until = ""
) -> None:
    """Fill."""
    from gridwarden.commands import transfer as module

    module.fill(module.Where(data, config), module.Extent(since, until, ()))


@command(
    help=_("Say whether the embedded store and InfluxDB hold the same, reading by reading.")
    + "\n\n"
    + _("Example: gridwarden influx compare --from 2026-11-01 --to 2026-11-30"),
)
def compare(
    data: DataFolder = DEFAULT_DATA, config: ServicesConfig = None, since: Since = "", until: Until = ""
) -> None:
    """Compare."""
    from gridwarden.commands import transfer as module

    raise typer.Exit(int(module.compare(module.Where(data, config), module.Extent(since, until, ()))))
