"""Putting a backup back: into an empty place, or with force into one whose old content is moved aside.

In an order in which a failure at any point leaves something that can simply be tried again: files are written
beside their places; what was on its way goes back to the bus, whose readers are made first; then the files
get their names, the ledger last. Where the operations database is on a server, it is copied there, into an
empty one, and committed after that.

Edges go on as they are. Their outboxes are not in a backup: one that is put back gives out numbers twice
(docs/decisions/0006). Batches that waited in the outbox of a local edge go to the bus in its place, unless
that outbox is here and still has them.
"""

import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Final

from cases.opening import case_number
from cases.store import DatabaseInUse, DatabaseTooNew
from cases.store.copying import NotEmpty, copying, refuse_filled
from cases.store.restoration import note_restoration as note_in_operations
from gateway.operations import OPERATIONS, file_store, operations_store
from gridwarden import __version__
from gridwarden.backup.archive import Archive
from gridwarden.backup.bus_access import own_bus
from gridwarden.backup.manifest import STREAMS, Manifest
from gridwarden.backup.places import Places, Target
from gridwarden.backup.steps import step
from gridwarden.console_text import tell
from gridwarden.installation import LEDGER
from ingest import stream_copy
from ingest.bus import Bus
from ingest.opening import open_bus, stream_limits
from ingest.restorations import note_restoration, upto
from ingest.snapshots import Snapshot
from ingest.stream_copy import StreamFile, put_back
from ingest.streams import ensure_consumer, rules_consumer, store_consumer
from language import N_, Message
from readings import Lane
from readings.subjects import readings_stream
from registry.loading import load_site
from supervision.locks import InUse, Lock

PROCESSES: Final = ("gateway", "ingest")
"""Each holds a lock of its name in the core's data folder while it runs."""


class CannotRestore(Exception):
    """The backup cannot be put back here; `message` says why. What is here is as it was."""

    def __init__(self, message: Message) -> None:
        self.message = message
        super().__init__(str(message))


async def restore(archive: Archive, target: Target, *, force: bool) -> Places:
    """Put `archive`, which was verified, to `target`.

    Raises `CannotRestore`, `ingest.opening.CannotRun` (the bus), `registry.problems.InvalidConfiguration`,
    `ingest.database.StoreUnavailable`, `cases.store.StoreUnavailable`, `ingest.bus.BusUnavailable`,
    `ingest.nats_files.ServerError`,
    `nats.errors.Error` and OSError. Use it in the program's main thread.
    """
    _refuse_newer(archive.manifest)
    places = Places(archive, target)
    with ExitStack() as stack:
        stack.callback(places.clear)
        _lock(places, stack)
        if (taken := places.taken()) and not force:
            raise CannotRestore(
                Message(
                    N_("{path} is there already. With --force it is moved aside; nothing is deleted"),
                    {"path": taken[0]},
                )
            )
        _refuse_filled_server(places, archive.manifest)
        with step(tell("files")) as about:
            archive.extract(places.beside, about.progress)
        _adapt_site(places, archive.manifest)
        with step(tell("message bus")) as about:
            async with _bus(places) as bus:
                await _renew_readings(bus, places, force=force)
                with StreamFile(_written(places, STREAMS)) as streams:
                    count = await put_back(bus, _missing(places, streams), time.time_ns())
            about.note(tell("{batches} batches", batches=f"{count:,}"))
        with step(tell("databases")):
            _note(places, archive.manifest)
            with _on_server(places, archive.manifest):
                places.settle()
    return places


def _refuse_newer(manifest: Manifest) -> None:
    if _numbers(manifest.gridwarden) > _numbers(__version__):
        raise CannotRestore(
            Message(
                N_("it was made by version {version}, and this is {own}: install that version first"),
                {"version": manifest.gridwarden, "own": __version__},
            )
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:3]))


def _lock(places: Places, stack: ExitStack) -> None:
    """Keep every process away; raises `CannotRestore` when one runs."""
    locks = [places.installation.config.data / f"{name}.lock" for name in PROCESSES]
    if places.target.root is not None:
        locks.insert(0, places.target.root / "run" / "up.lock")
    for path in locks:
        try:
            stack.callback(Lock(path).release)
        except InUse as error:
            raise CannotRestore(
                Message(
                    N_("it runs here (process {process} holds {lock}): stop it first"),
                    {"process": error.process or "?", "lock": path},
                )
            ) from error


def _adapt_site(places: Places, manifest: Manifest) -> None:
    """Have the site's files name the new folder where they named the old one."""
    old, new = manifest.root, places.target.root
    if not old or new is None or Path(old) == new:
        return
    for path in (file.path for file in manifest.files if file.path.startswith("site/")):
        file = _written(places, path)
        if file.suffix in (".yaml", ".yml"):
            text = file.read_text(encoding="utf-8")
            file.write_text(text.replace(f"{old}/", f"{new}/"), encoding="utf-8")


@asynccontextmanager
async def _bus(places: Places) -> AsyncIterator[Bus]:
    config = places.installation.config.bus
    if places.target.root is None:
        async with AsyncExitStack() as stack:
            yield await open_bus(config, "restore", stack)
        return
    async with own_bus(places.installation) as bus:
        await bus.ensure_streams(stream_limits(config))
        yield bus


async def _renew_readings(bus: Bus, places: Places, *, force: bool) -> None:
    """Make the streams of readings anew, with every reader that there will be.

    Anew, because what is in them is of the ledger that is replaced, and because they know message ids for
    some minutes: the same batch, normalised again, would be taken for a repetition. With every reader,
    because what nobody waits for is gone at once. What waits in ``SAMPLES_*`` stays: edges were told that it
    is kept, and the ledger put back finds out which of it is new.
    """
    for lane in Lane:
        name = readings_stream(lane)
        for reader in await bus.jetstream.consumers_info(name):
            if reader.num_waiting:
                raise CannotRestore(
                    Message(
                        N_("{reader} still reads from the message bus: stop the core on every machine"),
                        {"reader": reader.name},
                    )
                )
        if (await bus.jetstream.stream_info(name)).state.messages and not force:
            raise CannotRestore(
                Message(
                    N_(
                        "there are readings on the message bus ({stream}), which another ledger knows."
                        " With --force they are deleted"
                    ),
                    {"stream": name},
                )
            )
    for lane in Lane:
        await bus.jetstream.delete_stream(readings_stream(lane))
    await bus.ensure_streams(stream_limits(places.installation.config.bus))
    for lane in Lane:
        for durable in (rules_consumer(lane), *map(store_consumer, places.installation.config.stores)):
            await ensure_consumer(bus.jetstream, readings_stream(lane), durable)


def _missing(places: Places, streams: StreamFile) -> Iterator[stream_copy.Message]:
    """What nobody here will send: all, but for what waits in outboxes that are here."""
    edges = places.installation.config.edges
    for message in streams.messages():
        here = edges is not None and message.outbox and (edges / message.outbox / "outbox.db").exists()
        if not here:
            yield message


def _note(places: Places, manifest: Manifest) -> None:
    """Write into the databases that they were put back."""
    now = time.time_ns()
    if f"core/{LEDGER}" in {file.path for file in manifest.files}:
        path = _written(places, f"core/{LEDGER}")
        with Snapshot(path) as ledger, StreamFile(_written(places, STREAMS)) as streams:
            coming = [message.batch for message in _missing(places, streams) if message.batch is not None]
            last = upto(ledger.done(), coming)
        note_restoration(path, manifest.taken, now, last)
    if f"core/{OPERATIONS}" in {file.path for file in manifest.files}:
        store = file_store(_written(places, f"core/{OPERATIONS}"))
        try:
            store.migrate()
            site = load_site(_written(places, "site/site.yaml").parent).site
            zones = [site.zone] if site is not None else []
            note_in_operations(store, [case_number("", zone, now)[1] for zone in zones])
        except DatabaseTooNew as error:
            raise CannotRestore(error.message) from error
        finally:
            store.close()


def _refuse_filled_server(places: Places, manifest: Manifest) -> None:
    """What a database on a server holds cannot be moved aside: with force it is refused, too."""
    if not _goes_to_server(places, manifest):
        return
    with closing(operations_store(places.installation.config)) as target:
        try:
            refuse_filled(target)
        except (NotEmpty, DatabaseInUse) as error:
            raise CannotRestore(error.message) from error


@contextmanager
def _on_server(places: Places, manifest: Manifest) -> Iterator[None]:
    """The operations database goes to the server that is configured; committed at the end of the block."""
    if not _goes_to_server(places, manifest):
        yield
        return
    written = _written(places, f"core/{OPERATIONS}")
    try:
        with (
            closing(file_store(written)) as source,
            closing(operations_store(places.installation.config)) as target,
            source.snapshot() as snapshot,
            copying(source, snapshot, target),
        ):
            yield
    except (NotEmpty, DatabaseInUse) as error:
        raise CannotRestore(error.message) from error
    finally:
        for end in ("-wal", "-shm"):  # who may only read leaves them behind
            written.with_name(f"{written.name}{end}").unlink(missing_ok=True)


def _goes_to_server(places: Places, manifest: Manifest) -> bool:
    held = f"core/{OPERATIONS}" in {file.path for file in manifest.files}
    return held and places.installation.config.operations is not None


def _written(places: Places, path: str) -> Path:
    """Where a file of the backup was written; every backup has a place for these."""
    beside = places.beside(path)
    assert beside is not None, path  # noqa: S101
    return beside
