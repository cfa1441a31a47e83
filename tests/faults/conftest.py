"""One way to play a scenario: as ``gridwarden chaos --quick`` does, in the test's folder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from chaos.outcome import Outcome
from chaos.session import play
from chaos.stage import QUICK

SEED = 2026


@pytest.fixture
def played(tmp_path: Path) -> Callable[[str], Outcome]:
    """Plays a scenario and shows how to repeat it."""

    def run(name: str, seed: int = SEED) -> Outcome:
        outcome = play(name, seed, QUICK, tmp_path, lambda name, what: print(f"{name}: {what}"))
        print(f"gridwarden chaos {name} --quick --seed {seed}", *outcome.plan, sep="\n  ")
        return outcome

    return run
