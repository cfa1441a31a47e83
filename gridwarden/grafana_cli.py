"""``gridwarden grafana``: its sub-commands and their options."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from gridwarden.console_text import _
from gridwarden.teaching import Command, Commands

app = typer.Typer(cls=Commands, rich_markup_mode=None)

command = partial(app.command, cls=Command)

SiteFolder = Annotated[
    Path, typer.Option("--site", help=_("The site folder: languages, time zone, thresholds of its rules."))
]
Language = Annotated[
    list[str] | None,
    typer.Option("--language", help=_("zh-CN or en; may be repeated. Default: the site's languages.")),
]
Console = Annotated[
    str, typer.Option(help=_("Address of the console as Grafana's users reach it; empty: no links to it."))
]
InfluxUrl = Annotated[str, typer.Option(help=_("The InfluxDB as Grafana reaches it."))]
Database = Annotated[str, typer.Option(help=_("InfluxDB database."))]
InfluxUser = Annotated[str, typer.Option(help=_("The user that only reads; see: gridwarden influx setup"))]
Url = Annotated[str, typer.Option(help=_("Grafana's address."))]
User = Annotated[str, typer.Option(help=_("An administrator of Grafana; empty: the file holds a token."))]
SecretFile = Annotated[
    Path | None,
    typer.Option(
        "--secret-file",
        help=_("File (mode 600) with a service account's token, or the password; or set GRAFANA_TOKEN."),
    ),
]
InfluxPasswordFile = Annotated[
    Path | None, typer.Option(help=_("File (mode 600) with that user's password, for the data source."))
]
HookUrl = Annotated[
    str,
    typer.Option(
        "--hook-url",
        help=_("The gateway as Grafana reaches it: its alerts come into the alarm list; empty: they do not."),
    ),
]
Team = Annotated[str, typer.Option(help=_("Team that may look at the folders; made when it is missing."))]
HERE = Path("var/site")
HOOK_SECRET = "/etc/grafana/gridwarden-hook"  # noqa: S105 - a file's name
LOCAL_INFLUX = "http://127.0.0.1:8086"
LOCAL_GRAFANA = "http://127.0.0.1:3000"


@app.callback()
def common() -> None:
    """Grafana."""


@command(
    help=_("Write dashboards and data source as files that Grafana reads by itself (provisioning).")
    + "\n\n"
    + _("Example: gridwarden grafana render /etc/grafana/provisioning --console https://gridwarden.example"),
)
def render(
    folder: Annotated[Path, typer.Argument(help=_("Folder to write to; other files in it stay."))],
    site: SiteFolder = HERE,
    language: Language = None,
    console: Console = "",
    influx_url: InfluxUrl = LOCAL_INFLUX,
    database: Database = "gridwarden",
    influx_user: InfluxUser = "grafana",
    influx_password_file: Annotated[
        str, typer.Option(help=_("Where Grafana finds that user's password on its machine."))
    ] = "",
    hook_url: HookUrl = "",
    hook_secret_file: Annotated[
        str, typer.Option(help=_("Where Grafana finds the secret in web.grafana_secret_file on its machine."))
    ] = HOOK_SECRET,
    home: Annotated[Path, typer.Option(help=_("Where Grafana will see FOLDER."))] = Path(
        "/etc/grafana/provisioning"
    ),
) -> None:
    """Write files."""
    from gridwarden.commands import grafana as module

    site_of = module.SiteOptions(site, tuple(language or ()), console, database)
    influx = module.Influx(influx_url, influx_user, influx_password_file)
    module.render_files(folder, site_of, influx, home, hook_url, hook_secret_file)


@command(
    help=_("Bring dashboards, data source and rights to a Grafana through its API; again: only what differs.")
    + "\n\n"
    + _("Example: gridwarden grafana push --url https://grafana.example --secret-file grafana.token"),
)
def push(
    url: Url = LOCAL_GRAFANA,
    user: User = "",
    secret_file: SecretFile = None,
    site: SiteFolder = HERE,
    language: Language = None,
    console: Console = "",
    influx_url: InfluxUrl = LOCAL_INFLUX,
    database: Database = "gridwarden",
    influx_user: InfluxUser = "grafana",
    influx_password_file: InfluxPasswordFile = None,
    team: Team = "",
    hook_url: HookUrl = "",
    hook_secret_file: Annotated[
        Path | None, typer.Option(help=_("File (mode 600) with the secret in web.grafana_secret_file."))
    ] = None,
) -> None:
    """Push."""
    from gridwarden.commands import grafana as module

    site_of = module.SiteOptions(site, tuple(language or ()), console, database)
    module.push(
        module.Grafana(url, user, secret_file), site_of, module.Influx(influx_url, influx_user),
        influx_password_file, team, hook_url, hook_secret_file,
    )  # fmt: skip


@command(
    help=_("Say what push would change in a Grafana, line by line, and change nothing.")
    + "\n\n"
    + _("Example: gridwarden grafana diff --url https://grafana.example --secret-file grafana.token"),
)
def diff(
    url: Url = LOCAL_GRAFANA,
    user: User = "",
    secret_file: SecretFile = None,
    site: SiteFolder = HERE,
    language: Language = None,
    console: Console = "",
    influx_url: InfluxUrl = LOCAL_INFLUX,
    database: Database = "gridwarden",
    influx_user: InfluxUser = "grafana",
    team: Team = "",
    hook_url: HookUrl = "",
) -> None:
    """Compare."""
    from gridwarden.commands import grafana as module

    site_of = module.SiteOptions(site, tuple(language or ()), console, database)
    changed = module.diff(
        module.Grafana(url, user, secret_file),
        site_of,
        module.Influx(influx_url, influx_user),
        team,
        hook_url,
    )
    raise typer.Exit(int(changed))


@command(
    help=_("Ask InfluxDB every question of every dashboard: which fail, which have no answer.")
    + "\n\n"
    + _("Example: gridwarden grafana check --influx-password-file var/run/secrets/influx-grafana"),
)
def check(
    site: SiteFolder = HERE,
    influx_url: Annotated[str, typer.Option(help=_("The server."))] = LOCAL_INFLUX,
    database: Database = "gridwarden",
    influx_user: InfluxUser = "grafana",
    influx_password_file: InfluxPasswordFile = None,
    hours: Annotated[float, typer.Option(min=0.1, help=_("Look at so many hours up to now."))] = 24,
) -> None:
    """Ask every question."""
    from gridwarden.commands import grafana as module

    site_of = module.SiteOptions(site, (), "", database)
    failed = module.check(site_of, module.Influx(influx_url, influx_user), influx_password_file, hours)
    raise typer.Exit(int(failed))
