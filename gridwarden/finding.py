"""What ``gridwarden doctor`` finds."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["good", "warning", "bad"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `remedy` says what to do about it."""

    verdict: Verdict
    what: str
    remedy: str = ""
