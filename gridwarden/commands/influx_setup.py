"""``gridwarden influx setup``: says step by step what is there and what is missing, and makes that."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from gridwarden.console_text import say, stop, tell, translate
from ingest.config import InfluxConfig
from ingest.database import StoreUnavailable
from ingest.stores.influx_client import InfluxClient, InfluxSettings, QueryFailed
from ingest.stores.influx_policies import Retention
from ingest.stores.influx_setup import CannotSetUp, State, Step, Wanted, plan
from ingest.stores.influx_versions import Version, generation
from links.addresses import is_loopback
from links.secret_files import read_secret

_MARKS: Final = {State.THERE: "✓", State.MISSING: "+", State.LEFT: "!"}


@dataclass(frozen=True, kw_only=True)
class Options:
    """What was asked for on the command line; `days` of readings, minutes, hours and records."""

    url: str
    version: str
    database: str
    admin_user: str
    admin_password_file: Path | None
    org: str
    secrets: Path
    writer: str
    reader: str
    days: tuple[float, float, float, float]
    shorten: bool
    new_passwords: bool
    dry_run: bool


def run(options: Options) -> None:
    """Set up, or say what would be done; ends the process with 2 when it cannot."""
    try:
        password = read_secret(
            options.admin_password_file, os.environ.get("GRIDWARDEN_INFLUX_ADMIN_PASSWORD", "")
        )
    except OSError as error:
        stop(tell("The password cannot be read: {reason}", reason=error))
    parts = urlsplit(options.url)
    if password and parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        stop(tell("{url} would carry the password in clear text: use https://", url=options.url))
    try:
        asyncio.run(_run(options, password))
    except (CannotSetUp, StoreUnavailable) as error:
        stop(translate(error.message))
    except QueryFailed as error:
        stop(tell("InfluxDB refuses: {reason}", reason=error))
    except OSError as error:
        stop(tell("{folder} cannot be used: {reason}", folder=options.secrets, reason=error))


async def _run(options: Options, password: str) -> None:
    async with AsyncExitStack() as stack:
        client = InfluxClient(InfluxSettings(options.url, options.database, options.admin_user, password))
        stack.push_async_callback(client.close)
        told, _ = await client.ping()
        version = Version(int(options.version)) if options.version.isdecimal() else generation(told)
        if version is None:
            stop(tell("{url} does not say which InfluxDB it is: add --version", url=options.url))
        say(tell("InfluxDB {version} at {url}", version=told or int(version), url=options.url))
        wanted = _wanted(options, version)
        ask = _planner(version, options, wanted, client, password, stack)
        steps = await ask()
        _show(steps)
        missing = [step for step in steps if step.act is not None]
        if options.dry_run:
            say(tell("{count} {count|step|steps} to do; nothing was changed.", count=len(missing)))
            return
        for step in missing:
            if step.act is not None:
                await step.act()
        say(
            tell("Done: {count} {count|step|steps}.", count=len(missing))
            if missing
            else tell("Nothing to do.")
        )
        _show_what_next(options, wanted)


def _wanted(options: Options, version: Version) -> Wanted:
    raw, minute, hour, records = options.days
    names = {}
    if version is Version.THREE:
        from ingest.stores.influx_setup_three import READINGS_POLICY

        names["raw_name"] = READINGS_POLICY
    return Wanted(
        options.database,
        Retention.of(raw, minute, hour, records, **names),
        options.secrets,
        options.writer,
        options.reader,
        shorten=options.shorten,
        new_passwords=options.new_passwords,
    )


def _planner(
    version: Version,
    options: Options,
    wanted: Wanted,
    client: InfluxClient,
    password: str,
    stack: AsyncExitStack,
) -> Callable[[], Awaitable[list[Step]]]:
    if version is Version.ONE:
        return lambda: plan(client, wanted)
    if version is Version.TWO:
        from ingest.stores.influx_setup_two import Administrator, SetupTwo

        two = SetupTwo(Administrator(options.url, options.org, password), wanted)
        stack.callback(two.close)
        return two.plan
    from ingest.stores.influx_setup_three import SetupThree

    three = SetupThree(options.url, password, wanted)
    stack.push_async_callback(three.close)
    return three.plan


def _show(steps: list[Step]) -> None:
    for step in steps:
        say(f"{_MARKS[step.state]} {translate(step.what)}")


def _show_what_next(options: Options, wanted: Wanted) -> None:
    writer, reader = (wanted.password_file(user).absolute() for user in (options.writer, options.reader))
    # what is printed is what the configuration will be read with
    config = InfluxConfig(
        url=options.url, database=options.database, user=options.writer, password_file=writer
    )
    say("")
    say(tell("For gateway.yaml:"))
    say("  influx:")
    for key in ("url", "database", "user", "password_file"):
        say(f"    {key}: {getattr(config, key)}")
    say(tell("Or: {command}", command=f"gridwarden up --influx {options.url} --influx-user {options.writer} "
             f"--influx-password-file {writer}"))  # fmt: skip
    say(tell("For Grafana: user {user}, password in {file}", user=options.reader, file=reader))
