"""``gridwarden chaos``: break an installation on purpose."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.machine import this_machine
from bench.report import show_machine
from chaos.outcome import Outcome
from chaos.report import read_json, show_outcomes, with_earlier, write_json, write_report
from chaos.scenarios import SCENARIOS
from chaos.session import play_all
from chaos.stage import FULL, QUICK
from gridwarden.console_text import say, stop, tell, translate
from language import Message

FAILED = 1
WIDTH = 140


def run(
    names: Sequence[str],
    *,
    seed: int,
    everything: bool,
    quick: bool,
    json_file: Path | None,
    report: Path | None,
    list_: bool,
) -> int:
    """Play the scenarios and show what came of them; the exit code is 1 when one was not passed."""
    if list_:
        _list()
        return 0
    if everything == bool(names):
        stop(tell("name scenarios, or give --all; there are: {names}", names=", ".join(SCENARIOS)))
    if unknown := [name for name in names if name not in SCENARIOS]:
        stop(
            tell(
                "there is no scenario {name}; there are: {names}", name=unknown[0], names=", ".join(SCENARIOS)
            )
        )
    for file in (json_file, report):
        if file is not None and not file.absolute().parent.is_dir():
            stop(tell("{folder} does not exist", folder=file.absolute().parent))
    earlier = _earlier(json_file)
    console, machine = Console(), this_machine()
    if not console.is_terminal:
        console.width = WIDTH  # in a file, the table needs no folding to 80 columns
    show_machine(console, machine)
    with console.status("") as status:

        def now(name: str, what: Message) -> None:
            line = f"{name}: {translate(what)}"
            status.update(line)
            if not console.is_terminal:
                console.print(line, style="dim", highlight=False)

        outcomes = play_all(
            [*SCENARIOS] if everything else names, seed, QUICK if quick else FULL, now, _tell_outcome
        )
    show_outcomes(console, outcomes)
    passed = all(outcome.passed for outcome in outcomes)
    try:
        outcomes = with_earlier(outcomes, earlier)
        if json_file is not None:
            write_json(json_file, machine, outcomes)
        if report is not None:
            write_report(report, machine, outcomes)
    except OSError as error:
        stop(tell("{file} cannot be written: {reason}", file=error.filename, reason=error.strerror or error))
    return 0 if passed else FAILED


def _earlier(file: Path | None) -> Sequence[Outcome]:
    """What the file that will be written has of other runs: it stays. Looked at before hours go by."""
    if file is None or not file.exists():
        return ()
    try:
        return read_json(file)
    except OSError as error:
        stop(tell("{file} cannot be read: {reason}", file=file, reason=error.strerror or error))
    except ValueError as error:
        stop(tell("{file} is no record of such runs: {reason}", file=file, reason=error))


def _list() -> None:
    table = Table(tell("scenario"), tell("what is done"))
    for name, scenario in SCENARIOS.items():
        table.add_row(name, tell(scenario.about))
    Console().print(table)


def _tell_outcome(outcome: Outcome) -> None:
    if outcome.passed:
        say(tell("{name}: passed in {seconds:.0f} s", name=outcome.scenario, seconds=outcome.took))
        return
    say(
        tell(
            "{name}: not passed; again with: gridwarden chaos {name} --seed {seed}",
            name=outcome.scenario,
            seed=outcome.seed,
        )
    )
    for fault in outcome.faults:
        say(f"    {fault}")
