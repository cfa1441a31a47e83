"""Taking a backup while everything runs, so that its parts fit together.

A batch travels outbox → SAMPLES → ledger → READINGS → stores and rules, and each stage hands it over before
it lets go of it. So the order of reading decides what a backup holds (`ingest.audit` reads in the same order,
for the same reason):

1. The outboxes of edges on this machine, then ``SAMPLES_*``: what is no longer there is in the ledger
   already.
2. From here on ``READINGS_*`` lets nothing go.
3. The moments of the stores and of the operations database.
4. The moment of the ledger, which must have every batch that those have: the stores' readings are accounted
   for. (A store may be quicker than the ledger by a few milliseconds: then its moment is taken again.)
5. ``READINGS_*``: what the ledger has and some reader at its moment has not.

Nobody is stopped or slowed for it. What was acknowledged before step 1 is in the backup, in the last place
that it had reached; what is in two places is known by its number and counts once. The files are then copied
as they were at those moments, however long it takes.
"""

import asyncio
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from edge.outbox_copy import waiting_batches
from gateway.operations import OPERATIONS, operations_store
from gridwarden import __version__
from gridwarden.backup.archive import ArchiveWriter
from gridwarden.backup.bus_access import own_bus, running_bus
from gridwarden.backup.held_operations import HeldOperations
from gridwarden.backup.manifest import CONFIGURATION, STREAMS, Manifest
from gridwarden.backup.steps import step
from gridwarden.console_text import tell
from gridwarden.installation import LEDGER, Installation
from ingest.audit import STORES
from ingest.bus import MESSAGE_ID, Bus
from ingest.sequences import BatchId, Sequences
from ingest.snapshots import Done, Snapshot
from ingest.stream_copy import Message, StreamFile, hold_readings, read_stream, waiting_in_broker
from language import N_
from language import Message as Sentence
from readings import Lane
from readings.subjects import OUTAGE_HEADER, message_id, readings_stream, samples_stream, samples_subject
from registry.reading_files import read_yaml

LEDGER_SECONDS: Final = 30.0
"""How long the ledger may be behind the stores: it is a few milliseconds while all is well."""


class CannotBackUp(Exception):
    """No backup can be taken now; `message` says why."""

    def __init__(self, message: Sentence) -> None:
        self.message = message
        super().__init__(str(message))


@dataclass
class Taken:
    """What came of it."""

    manifest: Manifest
    in_broker: int
    """Messages that the bus's own MQTT broker holds for an edge that is away: they are in no backup."""


async def take(installation: Installation, target: Path, *, with_secrets: bool) -> Taken:
    """Write a backup of `installation` to `target`, which must not exist.

    Raises `CannotBackUp`, `ingest.database.StoreUnavailable`, `cases.store.StoreUnavailable`,
    `ingest.bus.BusUnavailable`, `ingest.nats_files.ServerError`, `nats.errors.Error` and OSError; then there
    is no backup.
    """
    with ExitStack() as stack:
        writer = stack.enter_context(ArchiveWriter(target))
        moments = _Moments(installation, stack, writer.workspace / STREAMS)
        with step(tell("what is on its way")) as about:
            async with running_bus(installation) as bus:
                if bus is not None:
                    await moments.hold(bus)
                else:
                    async with own_bus(installation) as bus:
                        await moments.hold(bus)
            writer.add(STREAMS, moments.streams)
            about.note(tell("{batches} batches", batches=f"{moments.batches:,}"))
        await asyncio.to_thread(_copy_files, moments, writer)
        await asyncio.to_thread(_copy_site, installation, writer)
        if with_secrets:
            with step(tell("secrets")):
                for name, path in installation.secret_files().items():
                    writer.add(name, path)
        manifest = writer.finish(
            Manifest(
                gridwarden=__version__,
                site=_site_name(installation.config.site),
                taken=moments.taken,
                root=str(installation.root or ""),
                schema=moments.schema,
                stores=installation.config.stores,
                secrets=with_secrets,
                batches=moments.batches,
                waiting=moments.waiting,
            )
        )
    return Taken(manifest, moments.in_broker)


@dataclass
class _Moments:
    """The parts of the core, each held at its moment by `stack`."""

    installation: Installation
    stack: ExitStack
    streams: Path
    files: dict[str, Snapshot | HeldOperations] = field(default_factory=dict)
    ledger: Done = field(default_factory=dict)
    readers: list[Done] = field(default_factory=list)
    """What each reader of ``READINGS_*`` has done."""
    waiting: dict[str, int] = field(default_factory=dict)
    batches: int = 0
    in_broker: int = 0
    taken: int = 0
    schema: str = ""
    """Revision of the operations database."""

    async def hold(self, bus: Bus) -> None:
        """Read what is on its way, and hold the files; see the module for the order."""
        self.taken = time.time_ns()
        jetstream = bus.jetstream
        outboxes = await asyncio.to_thread(self._copy_outboxes)
        with StreamFile(self.streams, create=True) as streams:
            async with hold_readings(jetstream):
                copied: set[BatchId] = set()
                for lane in Lane:
                    async for message in read_stream(jetstream, samples_stream(lane)):
                        streams.add(message)
                        copied.add(message.batch) if message.batch is not None else None
                waiting: set[BatchId] = set()
                for edge, outbox in outboxes:
                    for message in _waiting(edge, outbox, self.installation.config.partition):
                        if message.batch is not None and message.batch not in copied:
                            streams.add(message)
                            waiting.add(message.batch)
                    outbox.unlink()
                copied |= waiting
                self._hold_readers()
                await self._hold_ledger(copied)
                for lane in Lane:
                    async for message in read_stream(jetstream, readings_stream(lane)):
                        if self._is_missed(message.batch):
                            streams.add(message)
            streams.keep(lambda message: not self._is_settled(message))
            self.batches = len(streams)
            for batch in waiting:
                self.waiting[batch.edge] = self.waiting.get(batch.edge, 0) + (not _has(self.ledger, batch))
        self.in_broker = await waiting_in_broker(jetstream)

    def _copy_outboxes(self) -> list[tuple[str, Path]]:
        """Copies of the outboxes of edges that run here, by edge."""
        edges, copies = self.installation.config.edges, []
        for path in sorted(edges.glob("*/outbox.db")) if edges is not None else ():
            copy = self.streams.with_name(f"outbox-{path.parent.name}.db")
            with Snapshot(path) as held:
                held.copy(copy)
            copies.append((path.parent.name, copy))
        return copies

    def _hold(self, name: str) -> Snapshot | None:
        path = self.installation.config.data / name
        if not path.exists():
            return None
        held = self.stack.enter_context(Snapshot(path))
        self.files[name] = held
        return held

    def _hold_readers(self) -> None:
        for store, name in STORES.items():
            held = self._hold(name)
            if held is not None and store in self.installation.config.stores:
                self.readers.append(held.done())
        if (operations := self._hold_operations()) is not None:
            self.readers.append(_ruled(operations, self.installation.config.partition))
            revisions = operations.rows("SELECT version_num FROM alembic_version")
            self.schema = "".join(str(revision) for (revision,) in revisions)

    def _hold_operations(self) -> Snapshot | HeldOperations | None:
        """The file, or the database on a server, which becomes a file in the backup; None: not made yet."""
        if self.installation.config.operations is None:
            return self._hold(OPERATIONS)
        store = operations_store(self.installation.config)
        if store.revision() is None:
            store.close()
            return None
        held = self.stack.enter_context(HeldOperations(store))
        self.files[OPERATIONS] = held
        return held

    async def _hold_ledger(self, copied: set[BatchId]) -> None:
        """Hold the ledger at a moment at which it has all that its readers had at theirs."""
        deadline = time.monotonic() + LEDGER_SECONDS
        while (ledger := self._hold(LEDGER)) is not None:
            self.ledger = ledger.done()
            ahead = self._ahead_of_ledger(copied)
            if ahead is None:
                return
            if time.monotonic() > deadline:
                raise CannotBackUp(
                    Sentence(
                        N_(
                            "the ledger has not had batch {batch}, which a store has: start ingest, let it"
                            " catch up, and try again"
                        ),
                        {"batch": message_id(*ahead)},
                    )
                )
            ledger.close()
            await asyncio.sleep(0.02)

    def _ahead_of_ledger(self, copied: set[BatchId]) -> BatchId | None:
        """A batch that a reader has and the ledger neither has nor will get from what is copied."""
        for done in self.readers:
            for (edge, lane), numbers in done.items():
                for first, last in numbers.without(self.ledger.get((edge, lane), Sequences())):
                    for seq in range(first, last + 1):
                        if BatchId(edge, lane, seq) not in copied:
                            return BatchId(edge, lane, seq)
        return None

    def _is_missed(self, batch: BatchId | None) -> bool:
        """Whether the ledger has passed the batch on and a reader has not had it."""
        return (
            batch is not None
            and _has(self.ledger, batch)
            and not all(_has(done, batch) for done in self.readers)
        )

    def _is_settled(self, message: Message) -> bool:
        """Whether it is a batch of samples that the ledger has."""
        batch = message.batch
        of_samples = message.stream in [samples_stream(lane) for lane in Lane]
        return of_samples and batch is not None and _has(self.ledger, batch)


def _has(done: Done, batch: BatchId) -> bool:
    numbers = done.get((batch.edge, batch.lane))
    return numbers is not None and batch.seq in numbers


def _ruled(operations: Snapshot | HeldOperations, partition: int) -> Done:
    """What the rules have done."""
    return {
        (edge, Lane(lane)): Sequences(msgspec.json.decode(ranges, type=list[tuple[int, int]]))
        for number, edge, lane, ranges in operations.rows(
            "SELECT partition, edge, lane, ranges FROM engine_done"
        )
        if number == partition
    }


def _waiting(edge: str, outbox: Path, partition: int) -> Iterator[Message]:
    """The batches that wait in a copied outbox, as the edge would publish them."""
    for one in waiting_batches(outbox, edge):
        headers = {MESSAGE_ID: message_id(edge, one.lane, one.seq), OUTAGE_HEADER: "1"}
        subject = samples_subject(edge, one.lane, partition)
        yield Message(samples_stream(one.lane), subject, headers, one.payload, one.created, outbox=edge)


def _copy_files(moments: _Moments, writer: ArchiveWriter) -> None:
    for name, held in moments.files.items():
        with step(name) as about:
            copy = writer.workspace / name
            held.copy(copy, about.progress)
            held.close()
            about.note(tell("{size} MB", size=f"{copy.stat().st_size / 1e6:,.1f}"))
            writer.add(f"core/{name}", copy)
            copy.unlink()


def _copy_site(installation: Installation, writer: ArchiveWriter) -> None:
    site = installation.config.site
    with step(tell("site folder, configuration")) as about:
        files = [path for path in sorted(site.rglob("*")) if path.is_file() and _belongs(path)]
        for path in files:
            writer.add(f"site/{path.relative_to(site).as_posix()}", path)
        writer.add(CONFIGURATION, installation.config_file)
        about.note(tell("{files} files", files=len(files) + 1))


def _belongs(path: Path) -> bool:
    """Whether a file of the site folder is the site's and no editor's or program's."""
    return "__pycache__" not in path.parts and not re.search(r"(~|\.sw[a-p])$", path.name)


def _site_name(site: Path) -> str:
    head = read_yaml(site / "site.yaml").data
    name = head.get("name", "") if isinstance(head, dict) else ""
    return str(next(iter(name.values()), "")) if isinstance(name, dict) else str(name)
