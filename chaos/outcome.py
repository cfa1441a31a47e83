"""What came of a scenario."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Outcome:
    """One run of one scenario; numbers are values (readings)."""

    scenario: str
    seed: int
    scale: str
    plan: list[str] = field(default_factory=list)
    sent: int = 0
    """Acknowledged to their senders."""
    doubtful: int = 0
    """Said, and the sender went before it could hear whether they were taken."""
    stored: int = 0
    quarantined: int = 0
    thinned: int = 0
    reported: int = 0
    """Lost with a damaged outbox, and told of by its edge."""
    duplicates: int = 0
    lost: int = 0
    twice: int = 0
    invented: int = 0
    recovery: float | None = None
    """Seconds from a mend until everything acknowledged before it was stored; the longest of the run."""
    took: float = 0.0
    figures: dict[str, float] = field(default_factory=dict)
    """What else was measured, with its unit in the name."""
    curves: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    """What was watched over time: (seconds since the beginning, bytes)."""
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """Everything that must not be, in sentences; none when the scenario was passed."""

    @property
    def passed(self) -> bool:
        """Whether nothing was lost, nothing counted twice, and the books balance."""
        return not self.faults

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"passed": self.passed}
