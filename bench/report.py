"""Showing figures: a table for people, JSON for programs."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.figures import Figure
from bench.machine import Machine
from bench.pace import Pace
from bench.profile import Profile, Share


def show_machine(console: Console, machine: Machine) -> None:
    """Two lines that name the machine."""
    versions = ", ".join(f"{name} {found}" for name, found in machine.versions.items())
    console.print(
        f"{machine.cpu}, {machine.cores} cores, {machine.memory_bytes / 2**30:.0f} GiB, {machine.kernel}, "
        f"{machine.python}; load average {machine.load_before[0]:.1f}",
        highlight=False,
    )
    console.print(versions, style="dim", highlight=False)


def show_figures(console: Console, figures: Sequence[Figure]) -> None:
    """The table, and the notes below it."""
    table = Table("measurement", "figure", title_justify="left")
    table.add_column("value", justify="right")
    table.add_column("goal", justify="right")
    table.add_column("")
    before = ""
    for figure in figures:
        verdict = "" if figure.met is None else "reached" if figure.met else "missed"
        table.add_row(
            figure.measurement if figure.measurement != before else "",
            figure.name,
            f"{amount(figure.value)} {figure.unit}",
            f"{'≥' if figure.goal.direction == 'at least' else '≤'} {amount(figure.goal.limit)}"
            if figure.goal
            else "",
            verdict,
        )
        before = figure.measurement
    console.print(table)
    for name, notes in _notes(figures).items():
        for note in notes:
            console.print(f"{name}: {note}", style="dim", highlight=False)


def show_paces(console: Console, paces: Mapping[str, Pace]) -> None:
    """How fast the processor was: what makes two runs comparable, or not."""
    told = ", ".join(f"{name} {pace.before:.1f}/{pace.after:.1f}" for name, pace in paces.items())
    console.print(
        f"pace: a fixed piece of Python took, before/after, in ms: {told}", style="dim", highlight=False
    )


def show_profile(console: Console, profile: Profile) -> None:
    """Where the gateway's time went."""
    console.print(f"\nProcessor time of ingest and gateway during `path` ({profile.seconds:.1f} s)")
    for title, shares in (
        ("thread", profile.threads),
        ("room or library", profile.rooms),
        ("module of ours that it was spent for", profile.callers[:14]),
        ("function", profile.functions),
    ):
        console.print(_shares(title, shares))


def amount(value: float) -> str:
    """Three significant digits or more."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def write_json(
    file: Path,
    machine: Machine,
    figures: Sequence[Figure],
    failed: Iterable[str],
    profile: Profile | None,
    paces: Mapping[str, Pace],
) -> None:
    """Everything as one JSON object; raises OSError."""
    document = {
        "machine": asdict(machine),
        "figures": [asdict(figure) | {"met": figure.met} for figure in figures],
        "failed": [*failed],
        "paces_ms": {name: pace._asdict() for name, pace in paces.items()},
        "profile": asdict(profile) if profile is not None else None,
    }
    file.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _notes(figures: Sequence[Figure]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for figure in figures:
        notes = found.setdefault(figure.measurement, [])
        note = f"{figure.name} {figure.note}" if figure.measurement == "memory" else figure.note
        if figure.note and note not in notes:
            notes.append(note)
    return found


def _shares(title: str, shares: Sequence[Share]) -> Table:
    table = Table(title, "for")
    table.add_column("%", justify="right")
    for share in shares:
        if share.percent >= 0.5:
            table.add_row(share.name, share.caller, f"{share.percent:.1f}")
    return table
