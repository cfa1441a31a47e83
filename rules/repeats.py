"""Counting how often something happened within a window, each happening once."""

from collections.abc import Sequence
from hashlib import blake2b

from rules.model import Repeat
from rules.state import Instance


def count_hit(instance: Instance, repeat: Repeat, at: int, event: str) -> bool:
    """Note a happening at event time `at`; whether it was new.

    A happening with an event id counts once however often it is reported; without one, once per instant.
    """
    name = int.from_bytes(blake2b(event.encode(), digest_size=6).digest()) if event else 0
    if any(hit == name if name else time == at for time, hit in instance.hits):
        return False
    newest = max(at, instance.hits[-1][0] if instance.hits else at)
    hits = sorted([*instance.hits, (at, name)])
    instance.hits = [hit for hit in hits if newest - hit[0] <= repeat.window][-2 * repeat.count :]
    return True


def enough(hits: Sequence[tuple[int, int]], repeat: Repeat) -> bool:
    """Whether some window of the length holds the count."""
    times = [time for time, _ in hits]
    return any(
        last - first <= repeat.window for first, last in zip(times, times[repeat.count - 1 :], strict=False)
    )
