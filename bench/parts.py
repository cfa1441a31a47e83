"""The parts of the path one by one: microseconds of processor time per sample or reading.

Each part gets the same batches: what the devices of one edge say, 100 at a time. The best of several rounds
counts, which is what the part costs when nothing interrupts it.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

from bench.community import Traffic, generated_rules, traffic, write_site
from bench.figures import Conditions, Figure
from bench.load_process import BATCH
from ingest.ledger import Ledger
from ingest.normaliser import Normaliser
from ingest.stores.embedded import EmbeddedStore
from ingest.stores.line_protocol import LineEncoder
from readings import Lane, ReadingBatch, Sample, SampleBatch, wire
from registry.site import Site
from rules.compile import compile_rules
from rules.engine import Engine
from rules.loading import STARTER, load_rules
from rules.model import Rule
from rules.state import EngineState

Batch = TypeVar("Batch")

BATCHES: Final = 200
ROUNDS: Final = 5
_EMBEDDED_GROUP: Final = 50
"""Batches of one write: what gathers while the one before is written."""


async def measure(conditions: Conditions) -> list[Figure]:
    """Every part, in the order of the path."""
    return await asyncio.to_thread(_measure, conditions)


def _measure(conditions: Conditions) -> list[Figure]:
    tell, folder = conditions.tell, conditions.folder
    tell("writing the reference community")
    site = write_site(folder / "site", conditions.devices, 0, "mqtt://127.0.0.1:1883")
    said = next(each for each in traffic(site) if each.lane is Lane.TELEMETRY)
    count = max(20, min(BATCHES, int(conditions.seconds * 20)))
    rounds = [_batches(said, count, number) for number in range(ROUNDS)]
    tell("wire, normaliser")
    payloads = [[wire.encode(batch) for batch in batches] for batches in rounds]
    ledger = Ledger(folder / "ledger.db")
    normaliser = Normaliser(site, ledger.marks)
    normalised: list[list[ReadingBatch]] = []

    def normalise(batches: Sequence[SampleBatch]) -> None:
        normalised.append([normaliser.normalise(batch, batch.samples[-1].taken).batch for batch in batches])

    figures = [
        _figure("wire: encode a sample", _best(rounds, lambda batches: [wire.encode(b) for b in batches])),
        _figure(
            "wire: decode a sample", _best(payloads, lambda found: [wire.decode_samples(p) for p in found])
        ),
        _figure("normalise a sample", _best(rounds, normalise)),
    ]
    ledger.close()
    encoded = [[wire.encode(batch) for batch in batches] for batches in normalised]
    figures += [
        _figure("wire: encode a reading", _best(normalised, lambda found: [wire.encode(b) for b in found])),
        _figure(
            "wire: decode a reading", _best(encoded, lambda found: [wire.decode_readings(p) for p in found])
        ),
    ]
    tell("rules")
    starter, _ = load_rules([STARTER])
    figures.append(_rules("rules: a reading, the starter rules", starter, site, normalised))
    tell("1,000 rules")
    many = _thousand(site, said)
    figures.append(_rules("rules: a reading, 1,000 rules of which 10 look at it", many, site, normalised))
    tell("embedded store")
    cost = _embedded(folder / "readings.db", normalised)
    figures.append(_figure("embedded store: a row, committed", cost))
    figures.append(Figure("parts", "embedded store, rows committed", 1e6 / cost, "/s"))
    encoder = LineEncoder(site)
    lines = _best(normalised, lambda found: [encoder.lines(batch.readings) for batch in found])
    return [*figures, _figure("line protocol: a reading", lines)]


def _batches(said: Traffic, count: int, turn: int) -> list[SampleBatch]:
    """`count` batches; each round later than the one before, so that nothing is a duplicate."""
    taken, series = time.time_ns() - 3_600_000_000_000 + turn * 60_000_000_000, said.series
    found, number = [], turn * count * BATCH
    for seq in range(count):
        samples = []
        for _ in range(BATCH):
            source, point = series[number % len(series)]
            samples.append(Sample(source, point, said.value(number), taken + number))
            number += 1
        found.append(SampleBatch(said.edge, said.lane, turn * count + seq + 1, tuple(samples)))
    return found


def _thousand(site: Site, said: Traffic) -> list[Rule]:
    """1,000 rules; the devices that speak are under 10 of them per point, the others watch elsewhere."""
    points = {
        (site.types[device.type].device_class, point.name)
        for source, native in said.series
        if (device := site.device_at(said.edge, source)) and (point := site.native_point(device, native))
    }
    rules = []
    for kind, name in sorted(points):
        for number in range(10):
            when = {"point": name, "op": ">", "value": 1e6 + number}
            rules.append(_rule(f"meets-{kind}-{name.replace('_', '-')}-{number}", kind, when))
    elsewhere = generated_rules(1_000 - len(rules), narrow=True)
    return [*rules, *(Rule.model_validate(rule) for rule in elsewhere)]


def _rule(name: str, kind: str, when: dict[str, object]) -> Rule:
    case = {"category": "device_fault", "merge_by": ["place"], "window": "1h", "priority": "P4"}
    return Rule.model_validate(
        {
            "id": name,
            "label": {"en": name, "zh": name},
            "match": {"device_type": kind},
            "when": when,
            "severity": "medium",
            "case": case,
        }
    )


def _rules(name: str, rules: Sequence[Rule], site: Site, rounds: Sequence[Sequence[ReadingBatch]]) -> Figure:
    engine = Engine(compile_rules(rules, site), EngineState())
    engine.tick(rounds[0][0].readings[0].time)

    def feed(batches: Sequence[ReadingBatch]) -> None:
        for batch in batches:
            engine.feed(batch.readings, batch.readings[-1].received)

    return _figure(name, _best(rounds, feed))


def _embedded(path: Path, rounds: Sequence[Sequence[ReadingBatch]]) -> float:
    """Microseconds of wall time a row: most of a commit is waiting for the disk."""
    store, best = EmbeddedStore(path), float("inf")
    for batches in rounds:
        began = time.perf_counter()
        for first in range(0, len(batches), _EMBEDDED_GROUP):
            store.write_now(batches[first : first + _EMBEDDED_GROUP], time.time_ns())
        best = min(best, (time.perf_counter() - began) * 1e6 / (len(batches) * BATCH))
    asyncio.run(store.close())
    return best


def _best(rounds: Sequence[Sequence[Batch]], work: Callable[[Sequence[Batch]], object]) -> float:
    """Microseconds of processor time a sample, in the best round."""
    best = float("inf")
    for batches in rounds:
        began = time.thread_time()
        work(batches)
        best = min(best, (time.thread_time() - began) * 1e6 / (len(batches) * BATCH))
    return best


def _figure(name: str, value: float) -> Figure:
    return Figure("parts", name, value, "µs")
