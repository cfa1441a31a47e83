"""Two detectors make an alarm, one makes a pre-alarm.

The number that is needed falls to the number of detectors in the group that can be counted on: where the
only other one is silent or in fault, one is enough.
"""

from collections.abc import Mapping

from rules.compile import Program
from rules.findings import Condition
from rules.watch import Watch


class Confirmation:
    """Compares detectors of the same rule in the same zone."""

    def __init__(self, program: Program, watches: Mapping[str, Watch]) -> None:
        self._program = program
        self._watches = watches

    def confirmed(self, watch: Watch, at: int) -> list[Watch]:
        """The detectors that together make an alarm at event time `at`, `watch` among them; else none.

        A detector counts while its last yes is at most the window away from `at`. Where an alarm of the
        zone is active already, every further detector is one, too.
        """
        confirm = watch.confirm
        if confirm is None:
            return [watch]
        group = self.group(watch)
        agreeing, dependable, active = [watch], 1, False
        for device, other in group.items():
            if device == watch.device.plan.device.id:
                continue
            found = other.instance if other is not None else None
            agrees = found is not None and found.detected and abs(at - found.detected) <= confirm.window
            if agrees and other is not None:
                agreeing.append(other)
            if agrees or other is None or not other.device.faulted:
                dependable += 1
            active = active or (found is not None and found.condition is Condition.ACTIVE)
        needed = min(confirm.count, dependable)
        return agreeing if active or len(agreeing) >= needed else []

    def group(self, watch: Watch) -> dict[str, Watch | None]:
        """The detectors that may confirm each other; None for one that never said anything."""
        if watch.confirm is None:
            return {}
        ids = self._program.group(watch.rule, watch.confirm.within, watch.labels)
        return {device: self._watches.get(f"{watch.rule.id}:{device}") for device in ids}
