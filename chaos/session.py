"""Playing scenarios one after the other, each in a folder that is deleted when it was passed."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from chaos.dice import Dice
from chaos.outcome import Outcome
from chaos.parts import Unbroken
from chaos.scenarios import SCENARIOS
from chaos.stage import Scale, Stage
from language import Message

Tell = Callable[[str, Message], None]


def play(name: str, seed: int, scale: Scale, folder: Path, tell: Tell) -> Outcome:
    """Play scenario `name` in the empty `folder`; call from the main thread."""
    outcome = Outcome(name, seed, scale.name)
    stage = Stage(folder, Dice(name, seed), scale, outcome, lambda what: tell(name, what))
    began = time.monotonic()
    try:
        asyncio.run(SCENARIOS[name].play(stage))
    except* Unbroken as group:
        first: BaseException = group
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        outcome.faults.append(str(first))
    outcome.took = time.monotonic() - began
    return outcome


def play_all(
    names: Sequence[str], seed: int, scale: Scale, tell: Tell, done: Callable[[Outcome], None]
) -> list[Outcome]:
    """Play the scenarios `names`; the folder of one that was not passed is kept and named in its notes."""
    outcomes = []
    for name in names:
        folder = Path(tempfile.mkdtemp(prefix=f"gridwarden-chaos-{name}-"))
        kept = False
        try:
            outcome = play(name, seed, scale, folder, tell)
            if not outcome.passed:
                outcome.notes.append(f"kept: {folder}")
                kept = True
        finally:
            if not kept:
                shutil.rmtree(folder, ignore_errors=True)
        outcomes.append(outcome)
        done(outcome)
    return outcomes
