"""``gridwarden quarantine``: its sub-commands and their options."""

from functools import partial
from typing import Annotated

import typer

from gridwarden.console_text import _
from gridwarden.options import DEFAULT_DATA, DataFolder, ServicesConfig
from gridwarden.teaching import Command, Commands

app = typer.Typer(cls=Commands, rich_markup_mode=None)

command = partial(app.command, cls=Command)

Entries = Annotated[list[str] | None, typer.Argument(help=_("Entries by the names that show prints."))]
Edge = Annotated[str, typer.Option(help=_("Only of this edge."))]
Source = Annotated[str, typer.Option(help=_("Only of this source; * stands for any text."))]
Point = Annotated[str, typer.Option(help=_("Only of this point."))]
Reason = Annotated[str, typer.Option(help=_("Only for this reason, by its name in list."))]
Everything = Annotated[bool, typer.Option("--all", help=_("Everything that is in quarantine now."))]
Actor = Annotated[str, typer.Option(help=_("Who wants it: a person of the site, for the record."))]
Note = Annotated[str, typer.Option(help=_("Why, for the record."))]
Yes = Annotated[bool, typer.Option("--yes", "-y", help=_("Do not ask."))]


@command(
    "list",
    help=_("List what could not be used, by source, point and reason, with what to do about it.")
    + "\n\n"
    + _("Example: gridwarden quarantine list --reason unknown_device"),
)
def list_(
    data: DataFolder = DEFAULT_DATA,
    config: ServicesConfig = None,
    edge: Edge = "",
    source: Source = "",
    point: Point = "",
    reason: Reason = "",
    limit: Annotated[int, typer.Option(min=1, help=_("Lines at most."))] = 50,
    as_json: Annotated[bool, typer.Option("--json", help=_("For programs."))] = False,
) -> None:
    """List groups."""
    from gridwarden.commands import quarantine as module

    selection = module.selection(edge, source, point, reason, ())
    module.show_groups(module.folder(data, config), selection, limit, as_json=as_json)


@command(
    help=_("Show single entries: the bytes as they came, and what they hold.")
    + "\n\n"
    + _("Example: gridwarden quarantine show --source 'z2m/*' --limit 3"),
)
def show(
    entries: Entries = None,
    data: DataFolder = DEFAULT_DATA,
    config: ServicesConfig = None,
    edge: Edge = "",
    source: Source = "",
    point: Point = "",
    reason: Reason = "",
    limit: Annotated[int, typer.Option(min=1, help=_("Entries at most."))] = 10,
) -> None:
    """Show entries."""
    from gridwarden.commands import quarantine as module

    selection = module.selection(edge, source, point, reason, entries or ())
    module.show_entries(module.folder(data, config), selection, limit)


@command(
    help=_(
        "Try again what was refused, once its cause is mended. Readings come in at their own times;"
        " what is known already does not count twice."
    )
    + "\n\n"
    + _("Example: gridwarden quarantine retry --reason unknown_device --source z2m/new-detector"),
)
def retry(
    entries: Entries = None,
    data: DataFolder = DEFAULT_DATA,
    config: ServicesConfig = None,
    edge: Edge = "",
    source: Source = "",
    point: Point = "",
    reason: Reason = "",
    everything: Everything = False,
    actor: Actor = "",
    note: Note = "",
) -> None:
    """Retry entries."""
    from gridwarden.commands import quarantine as module

    selection = module.selection(edge, source, point, reason, entries or (), everything=everything)
    module.carry_out("retry", data, config, selection, actor, note)


@command(
    help=_("Drop entries for good. The books go on counting them, as dropped.")
    + "\n\n"
    + _("Example: gridwarden quarantine drop --reason malformed --note 'cable was broken'"),
)
def drop(
    entries: Entries = None,
    data: DataFolder = DEFAULT_DATA,
    config: ServicesConfig = None,
    edge: Edge = "",
    source: Source = "",
    point: Point = "",
    reason: Reason = "",
    everything: Everything = False,
    actor: Actor = "",
    note: Note = "",
    yes: Yes = False,
) -> None:
    """Drop entries."""
    from gridwarden.commands import quarantine as module

    selection = module.selection(edge, source, point, reason, entries or (), everything=everything)
    module.confirm_drop(module.folder(data, config), selection, yes=yes)
    module.carry_out("drop", data, config, selection, actor, note)
