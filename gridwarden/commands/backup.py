"""``gridwarden backup`` and ``gridwarden restore``."""

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import nats.errors

from cases.store import StoreUnavailable as OperationsUnavailable
from gridwarden.backup.archive import Archive
from gridwarden.backup.manifest import BadArchive, Manifest
from gridwarden.backup.places import Places, Target
from gridwarden.backup.restoring import CannotRestore, restore
from gridwarden.backup.steps import step
from gridwarden.backup.taking import CannotBackUp, Taken, take
from gridwarden.commands.check import complain_about
from gridwarden.console_text import say, stop, tell, translate
from gridwarden.installation import Installation, configured_by, installed_in
from ingest.audit import balance
from ingest.bus import BusClosed, BusUnavailable
from ingest.database import StoreUnavailable
from ingest.nats_files import ServerError
from ingest.opening import CannotRun
from registry.problems import InvalidConfiguration

MEGABYTE: Final = 1_000_000
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Where:
    """Which installation: the folder of a ``gridwarden up``, or a configuration file, which goes before."""

    data: Path
    config: Path | None


def back_up(target: Path, where: Where, *, with_secrets: bool) -> None:
    """Write a backup; the exit code is 1 when there is none."""
    if target.exists():
        stop(tell("{target} is there already: name a backup that does not exist.", target=target))
    started = time.monotonic()
    say(tell("Backup to {target}", target=target))
    try:
        found = configured_by(where.config) if where.config is not None else installed_in(where.data)
    except InvalidConfiguration as error:
        _refuse(error)
    taken = _carefully(take(found, target.absolute(), with_secrets=with_secrets))
    _tell_taken(found, taken)
    say("")
    say(
        tell(
            "Done in {seconds} s: {size} MB in {files} files. Everything that was acknowledged before {time}"
            " is in it.",
            seconds=f"{time.monotonic() - started:.1f}",
            size=f"{sum(file.size for file in taken.manifest.files) / MEGABYTE:,.1f}",
            files=len(taken.manifest.files),
            time=_moment(taken.manifest.taken),
        )
    )


def verify(path: Path) -> None:
    """Read a backup through and compare it with its checksums; the exit code is 1 when it is not sound."""
    archive = _sound(path)
    _describe(archive.manifest)
    say(tell("{path} is sound.", path=path))


def put_back(path: Path, where: Where, *, force: bool) -> None:
    """Put a backup back; the exit code is 1 when that is not possible."""
    target = Target.of_config(where.config) if where.config is not None else Target.of_up(where.data)
    archive = _sound(path)
    _describe(archive.manifest)
    say(tell("Restoring to {place}", place=target.root or target.config_file))
    _tell_restored(archive.manifest, _carefully(restore(archive, target, force=force)))


def _sound(path: Path) -> Archive:
    try:
        archive = Archive(path)
        with step(tell("checksums of {path}", path=path)) as about:
            archive.verify(about.progress)
            about.note(tell("{files} files, all as they were written", files=len(archive.manifest.files)))
    except BadArchive as error:
        stop(tell("{path} cannot be used: {why}", path=path, why=translate(error.message)), code=1)
    except OSError as error:
        stop(_of_file(error), code=1)
    return archive


def _of_file(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename else str(error)


def _carefully(work: Coroutine[Any, Any, _Result]) -> _Result:
    try:
        return asyncio.run(work)
    except (CannotBackUp, CannotRestore, CannotRun) as error:
        stop(translate(error.message), code=1)
    except BadArchive as error:
        stop(translate(error.message), code=1)
    except InvalidConfiguration as error:
        _refuse(error)
    except OSError as error:
        stop(_of_file(error), code=1)
    except (
        StoreUnavailable,
        OperationsUnavailable,
        BusUnavailable,
        BusClosed,
        ServerError,
        nats.errors.Error,
    ) as error:
        stop(str(error), code=1)


def _refuse(error: InvalidConfiguration) -> NoReturn:
    for problem in error.problems:
        complain_about(problem)
    stop(tell("There is no installation here: name one with --data or --config."))


def _tell_taken(installation: Installation, taken: Taken) -> None:
    manifest = taken.manifest
    for edge, batches in sorted(manifest.waiting.items()):
        if batches:
            say(
                tell(
                    "  {batches} batches that wait in the outbox of {edge} are in it;"
                    " the outbox itself is not.",
                    batches=f"{batches:,}",
                    edge=edge,
                )
            )
    if manifest.secrets:
        say(tell("  Passwords and keys are in it: whoever reads it can speak for this installation."))
    else:
        say(tell("  No password and no key is in it (--with-secrets puts them in)."))
    if "influx" in manifest.stores:
        say(tell("  What InfluxDB holds is not in it: back it up with its own tools."))
    if taken.in_broker:
        say(
            tell(
                "  {messages} messages wait in the built-in MQTT broker for an edge that is away; they are"
                " not in it.",
                messages=f"{taken.in_broker:,}",
            )
        )


def _describe(manifest: Manifest) -> None:
    say(
        tell(
            "Backup of {site}, {time}, made by version {version}{secrets}",
            site=manifest.site,
            time=_moment(manifest.taken),
            version=manifest.gridwarden,
            secrets=tell(", with passwords") if manifest.secrets else "",
        )
    )


def _tell_restored(manifest: Manifest, places: Places) -> None:
    config = places.installation.config
    for path in places.moved:
        say(tell("  what was there before: {path}", path=path))
    books = balance(config.data, config.edges)
    say("")
    say(
        tell(
            "Restored: {stored} readings stored, {waiting} samples on their way.",
            stored=f"{sum(row.stored for row in books.rows):,}",
            waiting=f"{sum(row.waiting + row.in_stream for row in books.rows):,}",
        )
    )
    say(
        tell(
            "What was taken after {time} and had left its edge is lost; `gridwarden audit` tells how much"
            " as soon as the edges go on.",
            time=_moment(manifest.taken),
        )
    )
    if not manifest.secrets:
        say(tell("The backup holds no passwords and keys: boxes must be enrolled again."))
    if places.target.root is not None:
        say(tell("Next: gridwarden up --data {folder}", folder=places.target.root))
    else:
        say(tell("Next: systemctl start gridwarden.target"))


def _moment(ns: int) -> str:
    return datetime.fromtimestamp(ns // 1_000_000_000, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
