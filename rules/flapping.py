"""An alarm that changes too often is told once, and once when it has come to rest."""

from rules.model import Flap
from rules.state import Instance
from rules.timers import SETTLE, Timers


def count_flip(alarm: str, instance: Instance, flap: Flap | None, at: int, now: int, timers: Timers) -> bool:
    """Count a change between firing and not at event time `at`; whether flapping begins with it.

    So at most `transitions` changes are told one by one, then one ``flapping``, and one ``settled`` after
    `window` without a change.
    """
    if flap is None:
        return False
    kept = [flip for flip in instance.flips if at - flip < flap.window] + [at]
    instance.flips = kept[-flap.transitions :]
    begins = not instance.flapping and len(kept) >= flap.transitions
    if begins:
        instance.flapping = True
    if instance.flapping:
        timers.set(alarm, instance, SETTLE, at + flap.window, now)
    return begins


def settle(instance: Instance) -> None:
    """It has been quiet for a whole window."""
    instance.flapping = False
    instance.flips = []
