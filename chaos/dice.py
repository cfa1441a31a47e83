"""The choices of a run, all made before it begins and all from its seed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Blow:
    """One thing that is done to one part."""

    after: float
    """Seconds since the one before was over."""
    what: str
    part: str
    lasts: float
    """Seconds until it is mended."""

    def __str__(self) -> str:
        return f"+{self.after:.2f} s {self.what} {self.part}, mended after {self.lasts:.2f} s"


@dataclass
class Dice:
    """Throws that depend on scenario and seed only; `plan` is what they decided, for people."""

    scenario: str
    seed: int
    plan: list[str] = field(default_factory=list)
    chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.chance = random.Random(f"{self.scenario}/{self.seed}")

    def note(self, decided: object) -> None:
        """Add a line to the plan."""
        self.plan.append(str(decided))

    def blows(
        self,
        what: str,
        parts: Sequence[str],
        count: int,
        *,
        after: tuple[float, float],
        lasts: tuple[float, float],
    ) -> list[Blow]:
        """`count` blows, each on one of `parts`; every part gets its turn before one gets another."""
        found: list[Blow] = []
        turn: list[str] = []
        for _ in range(count):
            if not turn:
                turn = [*parts]
                self.chance.shuffle(turn)
            found.append(Blow(self.chance.uniform(*after), what, turn.pop(), self.chance.uniform(*lasts)))
        for blow in found:
            self.note(blow)
        return found

    def between(self, what: str, low: float, high: float) -> float:
        """A number between `low` and `high`, noted as `what`."""
        found = self.chance.uniform(low, high)
        self.note(f"{what}: {found:.3f}")
        return found

    def index(self, what: str, count: int) -> int:
        """One of ``range(count)``, noted as `what`."""
        found = self.chance.randrange(count)
        self.note(f"{what}: {found}")
        return found
