"""Which alarms mute which: an offline edge explains the silence of its devices."""

from collections.abc import Iterable, Iterator, Mapping

from rules.compile import Program
from rules.model import Inhibit
from rules.watch import Watch

_Key = tuple[int, tuple[str, ...]]
"""Which inhibit, and the values of its `equal` labels."""


class Inhibitions:
    """The inhibitors that hold now. Muting is an overlay: state and history of the target go on."""

    def __init__(self, program: Program) -> None:
        self._inhibits = program.inhibits
        self._holding: dict[_Key, set[str]] = {}
        self._known: dict[_Key, list[Watch]] = {}

    def is_source(self, watch: Watch) -> bool:
        """Whether an alarm of this rule inhibits anything."""
        return bool(watch.rule.inhibits)

    def know(self, watch: Watch) -> None:
        """This alarm, whether it fires or not, would inhibit."""
        for key in self._keys(watch):
            self._known.setdefault(key, []).append(watch)

    def sources(self, watch: Watch) -> Iterator[Watch]:
        """The known alarms that would mute this one if they fired."""
        for index, (source, inhibit) in enumerate(self._inhibits):
            if source != watch.rule.id and _meant(inhibit, watch):
                values = _values(inhibit, watch.labels)
                yield from self._known.get((index, values), ()) if values is not None else ()

    def linger(self, watch: Watch) -> int:
        """How long its inhibitions outlive the alarm, ns."""
        return max((inhibit.linger for inhibit in watch.rule.inhibits), default=0)

    def begin(self, watch: Watch) -> None:
        """The alarm fires: it inhibits from now on."""
        for key in self._keys(watch):
            self._holding.setdefault(key, set()).add(watch.alarm)

    def end(self, watch: Watch) -> None:
        """The alarm is over, and so is what lingered."""
        for key in self._keys(watch):
            self._holding.get(key, set()).discard(watch.alarm)

    def inhibitor(self, watch: Watch) -> str:
        """The alarm that mutes this one now; empty when none does."""
        for index, (source, inhibit) in enumerate(self._inhibits):
            if source == watch.rule.id or not _meant(inhibit, watch):
                continue
            values = _values(inhibit, watch.labels)
            holding = self._holding.get((index, values)) if values is not None else None
            if holding:
                return min(holding)
        return ""

    def targets(self, source: Watch, firing: Iterable[Watch]) -> list[Watch]:
        """Those of the `firing` alarms that `source` may mute, by name: no order survives a restart."""
        keys = dict(self._keys(source))
        found = [
            watch
            for watch in firing
            if watch.rule.id != source.rule.id
            and any(
                _meant(self._inhibits[index][1], watch)
                and _values(self._inhibits[index][1], watch.labels) == values
                for index, values in keys.items()
            )
        ]
        return sorted(found, key=lambda watch: watch.alarm)

    def _keys(self, watch: Watch) -> list[_Key]:
        found: list[_Key] = []
        for index, (source, inhibit) in enumerate(self._inhibits):
            values = _values(inhibit, watch.labels) if source == watch.rule.id else None
            if values is not None:
                found.append((index, values))
        return found


def _meant(inhibit: Inhibit, watch: Watch) -> bool:
    target = inhibit.target
    if target.kind == "no_data" and watch.silence is None:
        return False
    return target.rule is None or target.rule.accepts(watch.rule.id)


def _values(inhibit: Inhibit, labels: Mapping[str, str]) -> tuple[str, ...] | None:
    values = tuple(labels.get(label, "") for label in inhibit.equal)
    return values if all(values) else None
