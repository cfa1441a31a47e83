"""A steady load for a long time, while memory and files are watched."""

import asyncio
import statistics
import time
from collections import defaultdict
from pathlib import Path
from typing import Final

import psutil

from chaos.site import METER_POINTS
from chaos.stage import Stage
from chaos.world import World

RATE: Final = 5_000
"""Readings a second, over all edges."""
_LOOK: Final = 5.0
_SETTLED: Final = 0.6
"""The part of the time after which memory should be flat: what is kept of every device, and caches of bounded
size, have filled by then (the bus knows message ids for ten minutes)."""

Curve = list[tuple[float, float]]
"""(seconds since the beginning, bytes)."""


async def soak(stage: Stage) -> None:
    """5,000 readings a second; the slope of each process's memory once it has settled, the largest files."""
    async with stage.world() as world:
        edges = world.layout.edges
        for edge in edges:
            await world.load(edge, RATE / METER_POINTS / len(edges), classes=("meter",))
        memory, files = await _watch(stage, world)
        await stage.mend(world, lambda: None)
    stage.outcome.curves = {**memory, **files}
    figures = stage.outcome.figures
    for name, curve in memory.items():
        figures[f"{name}: memory at the end, MB"] = curve[-1][1] / 1e6
        figures[f"{name}: memory slope, kB/min"] = _slope(curve, stage.scale.soak * _SETTLED) * 60 / 1e3
    for name, curve in files.items():
        figures[f"{name}: largest, MB"] = max(size for _, size in curve) / 1e6
        figures[f"{name}: slope, kB/min"] = _slope(curve, stage.scale.soak * _SETTLED) * 60 / 1e3


async def _watch(stage: Stage, world: World) -> tuple[dict[str, Curve], dict[str, Curve]]:
    memory: dict[str, Curve] = defaultdict(list)
    files: dict[str, Curve] = defaultdict(list)
    watched = [part.name for part in world.lasting()]
    began = time.monotonic()
    while (at := time.monotonic() - began) < stage.scale.soak:
        for name in watched:
            memory[name].append((round(at, 1), psutil.Process(world.parts[name].pid).memory_info().rss))
        for name, size in (await asyncio.to_thread(_sizes, world)).items():
            files[name].append((round(at, 1), size))
        stage.tell("{minutes:.1f} of {all:g} min", minutes=at / 60, all=stage.scale.soak / 60)
        await asyncio.sleep(_LOOK)
    return memory, files


def _sizes(world: World) -> dict[str, float]:
    core = world.core_data
    found = {f"outbox of {edge}": _size(world.edge_data / edge) for edge in world.layout.edges}
    found |= {"streams": _size(world.bus_data)}
    return found | {file: _size_of(core, file) for file in ("ledger.db", "operations.db", "readings.db")}


def _size(folder: Path) -> float:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_blocks * 512 if path.is_file() else 0
        except FileNotFoundError:  # a block of a stream that was done with
            continue
    return total


def _size_of(folder: Path, name: str) -> float:
    return sum(path.stat().st_size for path in folder.glob(f"{name}*"))


def _slope(curve: Curve, since: float) -> float:
    """Bytes a second by least squares, from `since` seconds on."""
    settled = [point for point in curve if point[0] >= since]
    if len(settled) < 2:
        return 0.0
    return statistics.linear_regression(*zip(*settled, strict=True)).slope
