"""``gridwarden grafana``: dashboards as files, through Grafana's API, and asked against InfluxDB."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from dashboards.context import SHORT, Context, Limit, Source
from dashboards.documents import Influx, folders
from dashboards.expansion import View, queries, variables
from dashboards.grafana_api import GrafanaApi, GrafanaUnavailable
from dashboards.push import Found, Push, State
from dashboards.render import render
from dashboards.watching import Hook
from dashboards.watching import queries as watched
from dashboards.watching import title as watching_title
from gateway.api.showing import Showing
from gateway.configuration import load_configuration
from gridwarden.console_text import say, stop, tell, translate
from ingest.database import StoreUnavailable
from ingest.stores.influx_client import InfluxClient, InfluxSettings, QueryFailed
from links.addresses import is_loopback
from links.secret_files import read_secret
from registry.site import Site
from rules.model import Rule

__all__ = ["Grafana", "Influx", "SiteOptions", "check", "diff", "push", "render_files"]

_MARKS: Final = {State.SAME: "✓", State.MISSING: "+", State.DIFFERENT: "~"}


@dataclass(frozen=True)
class SiteOptions:
    """Of which site, and for whom."""

    folder: Path
    languages: tuple[str, ...]
    console: str
    database: str


@dataclass(frozen=True)
class Grafana:
    """Which Grafana, and as whom."""

    url: str
    user: str
    secret_file: Path | None


def render_files(
    folder: Path, options: SiteOptions, influx: Influx, home: Path, hook_url: str, hook_secret_file: str
) -> None:
    """Write the files, or end with a sentence."""
    hook = Hook(hook_url, f"$__file{{{hook_secret_file}}}") if hook_url else None
    try:
        written = render(folder, _contexts(options), influx, hook, home)
    except OSError as error:
        stop(tell("{folder} cannot be used: {reason}", folder=folder, reason=error))
    boards = sum(path.suffix == ".json" for path in written)
    say(
        tell(
            "{folder}: {boards} dashboards, data source {name}, alert rules. Grafana reads dashboards within "
            "a minute, the others when it starts.",
            folder=folder,
            boards=boards,
            name="GridWarden",
        )
    )


def push(
    grafana: Grafana,
    options: SiteOptions,
    influx: Influx,
    password_file: Path | None,
    team: str,
    hook_url: str,
    hook_secret_file: Path | None,
) -> None:
    """Make everything as it should be, saying what; ends with a sentence when it cannot."""
    password = _secret(password_file)
    hook = Hook(hook_url, _secret(hook_secret_file)) if hook_url else None
    changed = 0
    try:
        with _connect(grafana) as api:
            work = Push(api, _contexts(options), influx, password, team, hook)
            for found in work.compare():
                _show(found)
                work.do(found)
                changed += found.state is not State.SAME
    except GrafanaUnavailable as error:
        stop(translate(error.message))
    say(tell("Done: {count} {count|change|changes}.", count=changed) if changed else tell("Nothing to do."))


def diff(grafana: Grafana, options: SiteOptions, influx: Influx, team: str, hook_url: str) -> bool:
    """Say what differs; whether anything does."""
    hook = Hook(hook_url) if hook_url else None
    try:
        with _connect(grafana) as api:
            work = Push(api, _contexts(options), influx, team=team, hook=hook)
            different = [found for found in work.compare() if found.state is not State.SAME]
    except GrafanaUnavailable as error:
        stop(translate(error.message))
    for found in different:
        _show(found)
        for line in found.lines:
            say(f"    {line}")
    if not different:
        say(tell("Nothing differs."))
    return bool(different)


def check(options: SiteOptions, influx: Influx, password_file: Path | None, hours: float) -> bool:
    """Ask every question and say which fail; whether any does."""
    settings = InfluxSettings(influx.url, options.database, influx.user, _secret(password_file))
    return asyncio.run(_check(_contexts(options), settings, hours))


async def _check(contexts: Sequence[Context], settings: InfluxSettings, hours: float) -> bool:
    client = InfluxClient(settings)
    end = time.time_ns() // 1_000_000
    view = View(end - round(hours * 3_600_000), end)
    asked = failed = empty = 0
    try:
        async for board, panel, ref, query in _questions(client, contexts[0], view):
            asked += 1
            try:
                (result,) = await client.query(query)
            except QueryFailed as error:
                failed += 1
                say(f"✗ {board} · {panel} ({ref}): {error}")
                continue
            if not result.get("series"):
                empty += 1
                say(tell("– {board} · {panel} ({ref}): no data", board=board, panel=panel, ref=ref))
    except StoreUnavailable as error:
        stop(translate(error.message))
    finally:
        await client.close()
    say(
        tell(
            "{asked} questions: {failed} failed, {empty} without an answer.",
            asked=asked,
            failed=failed,
            empty=empty,
        )
    )
    return bool(failed)


async def _questions(
    client: InfluxClient, context: Context, view: View
) -> AsyncIterator[tuple[str, str, str, str]]:
    """Board, panel, letter and complete question of everything that Grafana asks."""
    for folder in folders([context]):
        for document in folder.dashboards:
            seen = await _chosen(client, document, view)
            for panel, ref, query in queries(document):
                yield document["title"], panel, ref, seen.fill(query)
    for rule, query in watched(context):
        yield watching_title(context), rule, "A", query


async def _chosen(client: InfluxClient, document: Mapping[str, Any], view: View) -> View:
    """`view` with what Grafana chooses by itself: all of everything, the policy of the time, the first
    device.
    """
    every: dict[str, str] = {}
    chosen: dict[str, Sequence[str]] = {}
    for name, variable in variables(document):
        if variable.get("includeAll"):
            every[name] = variable["allValue"]
            continue
        seen = View(view.start, view.end, chosen, every)
        (result,) = await client.query(seen.fill(variable["query"]))
        found = [row[1] for series in result.get("series", ()) for row in series["values"]]
        chosen[name] = [str(found[0]).rpartition("|")[2]] if found else [""]
    return View(view.start, view.end, chosen, every)


def _connect(grafana: Grafana) -> GrafanaApi:
    secret = _secret(grafana.secret_file, os.environ.get("GRAFANA_TOKEN", ""))
    if not secret:
        stop(tell("Name a file with a token or password (--secret-file), or set GRAFANA_TOKEN."))
    parts = urlsplit(grafana.url)
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        stop(tell("{url} would carry the password in clear text: use https://", url=grafana.url))
    return GrafanaApi(grafana.url, secret, grafana.user)


def _secret(path: Path | None, given: str = "") -> str:
    try:
        return read_secret(path, given)
    except OSError as error:
        stop(tell("The password cannot be read: {reason}", reason=error))


def _contexts(options: SiteOptions) -> list[Context]:
    configuration = load_configuration(options.folder)
    site = configuration.site
    if site is None:
        stop(tell("the site folder has errors; see them: gridwarden check {folder}", folder=options.folder))
    wanted = options.languages or site.languages
    unknown = [language for language in wanted if language not in SHORT]
    if unknown:
        stop(tell("There are no dashboards in {language}: choose zh-CN or en.", language=unknown[0]))
    limits = dict(limits_of_rules(site, configuration.rules))
    return [
        Context(language, Source(database=options.database), options.console, limits, site.timezone)
        for language in wanted
    ]


def limits_of_rules(site: Site, rules: Sequence[Rule]) -> Iterator[tuple[tuple[str, str], tuple[Limit, ...]]]:
    """The upper thresholds of the rules by device class and point, as they are for a device of each type."""
    showing = Showing(site, rules)
    found: dict[tuple[str, str], dict[float, str]] = {}
    samples = {device.type: device for device in site.devices.values() if not device.overrides}
    for device in samples.values():
        name = site.type_of(device).device_class
        for limit in showing.limits(device):
            if limit.op.startswith(">"):
                found.setdefault((name, limit.point), {})[limit.value] = limit.severity.value
    for key, steps in found.items():
        yield key, tuple(Limit(value, severity) for value, severity in sorted(steps.items()))


def _show(found: Found) -> None:
    say(f"{_MARKS[found.state]} {translate(found.what)}")
