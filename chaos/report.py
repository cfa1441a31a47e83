"""Showing outcomes: a table for people, JSON for programs, a page for the documentation."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from bench.machine import Machine
from chaos.outcome import Outcome
from chaos.scenarios import SCENARIOS

COLUMNS: Final = (
    "scenario", "seed", "sent", "stored", "quarantined", "thinned", "reported", "duplicates", "lost", "twice",
    "recovery",
)  # fmt: skip


class _Document(msgspec.Struct):
    outcomes: list[Outcome]


_PAGE: Final = Path(__file__).with_name("page.md")


def show_outcomes(console: Console, outcomes: Sequence[Outcome]) -> None:
    """The table, and below it what else was measured and what went wrong."""
    table = Table()
    for column in COLUMNS:
        table.add_column(column, justify="left" if column == "scenario" else "right", overflow="fold")
    table.add_column("")
    for outcome in outcomes:
        table.add_row(*_cells(outcome), "passed" if outcome.passed else "NOT passed")
    console.print(table)
    for outcome in outcomes:
        for line in _extras(outcome):
            console.print(f"{outcome.scenario}: {line}", style="dim", highlight=False, markup=False)
        for fault in outcome.faults:
            console.print(f"{outcome.scenario}: {fault}", style="red", highlight=False, markup=False)


def read_json(file: Path) -> list[Outcome]:
    """The outcomes in a file of `write_json`; raises OSError and ValueError."""
    return msgspec.json.decode(file.read_bytes(), type=_Document).outcomes


def with_earlier(outcomes: Sequence[Outcome], earlier: Sequence[Outcome]) -> list[Outcome]:
    """`outcomes`, and those of other scenarios from before, in the order in which scenarios are listed."""
    found = {outcome.scenario: outcome for outcome in (*earlier, *outcomes)}
    return [found[name] for name in SCENARIOS if name in found]


def write_json(file: Path, machine: Machine, outcomes: Sequence[Outcome]) -> None:
    """Everything as one JSON object; raises OSError."""
    document = {"machine": asdict(machine), "outcomes": [outcome.document() for outcome in outcomes]}
    file.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_report(file: Path, machine: Machine, outcomes: Sequence[Outcome]) -> None:
    """The documentation's page; raises OSError."""
    head = "| " + " | ".join(COLUMNS) + " |"
    line = "|---" + "|---:" * (len(COLUMNS) - 1) + "|"
    rows = ["| " + " | ".join(_cells(outcome)) + " |" for outcome in outcomes]
    extras = [f"- `{outcome.scenario}`: {line}" for outcome in outcomes for line in _extras(outcome)]
    faults = [f"- **{outcome.scenario} was not passed**: {f}" for outcome in outcomes for f in outcome.faults]
    notes = "\n## Also measured\n\n" + "\n".join(extras) + "\n" if extras else ""
    notes += "\n## Not passed\n\n" + "\n".join(faults) + "\n" if faults else ""
    page = _PAGE.read_text(encoding="utf-8").format(
        machine=_machine(machine),
        table="\n".join([head, line, *rows]),
        quick=" --quick" if any(outcome.scale == "quick" for outcome in outcomes) else "",
        abouts="\n".join(f"- `{o.scenario}`: {SCENARIOS[o.scenario].about}" for o in outcomes) + "\n",
        notes=notes,
    )
    file.write_text(page, encoding="utf-8")


def _machine(machine: Machine) -> str:
    versions = ", ".join(f"{name} {found}" for name, found in machine.versions.items())
    return (
        f"{machine.cpu}, {machine.cores} cores, {machine.memory_bytes / 2**30:.0f} GiB, {machine.kernel},"
        f" {machine.python}; {versions}; load average at the start {machine.load_before[0]:.1f}."
    )


def _cells(outcome: Outcome) -> list[str]:
    recovery = "" if outcome.recovery is None else f"{outcome.recovery:.1f} s"
    cells = {"recovery": recovery, "scenario": outcome.scenario, "seed": str(outcome.seed)}
    return [cells[column] if column in cells else f"{getattr(outcome, column):,}" for column in COLUMNS]


def _extras(outcome: Outcome) -> list[str]:
    return [f"{name}: {_figure(value)}" for name, value in outcome.figures.items()] + outcome.notes


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
