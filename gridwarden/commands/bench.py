"""``gridwarden bench``: measure this machine."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bench.machine import this_machine
from bench.measurements import MEASUREMENTS
from bench.report import show_figures, show_machine, show_paces, show_profile, write_json
from bench.session import measure
from gridwarden.console_text import complain, stop, tell

FAILED = 1


def run(seconds: float, only: Sequence[str], json_file: Path | None, profile: bool) -> int:
    """Make the measurements named in `only` (none: all) and show them; returns the exit code.

    0 also when a goal is missed: a figure is a figure. 1 when a measurement came to none.
    """
    if unknown := [name for name in only if name not in MEASUREMENTS]:
        known = ", ".join(MEASUREMENTS)
        stop(tell("there is no measurement {name}; there are: {names}", name=unknown[0], names=known))
    if json_file is not None and not json_file.absolute().parent.is_dir():
        stop(tell("{folder} does not exist", folder=json_file.absolute().parent))
    names = [name for name in MEASUREMENTS if not only or name in only]
    if profile and "path" not in names:
        stop(tell("--profile goes with the measurement path"))
    console, machine = Console(), this_machine()
    show_machine(console, machine)
    with console.status("") as status:

        def now(name: str, what: str) -> None:
            status.update(f"{name}: {what}")
            if not console.is_terminal:
                console.print(f"{name}: {what}", style="dim", highlight=False)

        results = measure(names, seconds, now, profile=profile)
    show_figures(console, results.figures)
    show_paces(console, results.paces)
    if results.profile is not None:
        show_profile(console, results.profile)
    for failure in results.failed:
        complain(failure)
    if json_file is not None:
        try:
            write_json(json_file, machine, results.figures, results.failed, results.profile, results.paces)
        except OSError as error:
            stop(tell("{file} cannot be written: {reason}", file=json_file, reason=error.strerror or error))
    return FAILED if results.failed else 0
