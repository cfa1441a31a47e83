"""Absence: nothing usable has been heard of a device for too long.

Counted from the newest *known* value, so a device that only sends NaN is silent; seeded from the registry,
so a device that never spoke is silent, too. Nothing is written per reading: the deadline in the heap is
checked against the device's marks when it comes, and moved when the device has spoken since.

Two things besides the device make silence. Its *edge* may be gone: while that has not been heard since the
device should have spoken, the device's alarm waits until the edge is found silent itself, which explains the
device's silence; an edge that speaks again is given `CATCH_UP` to bring its devices' words. And the *engine*
may have been deaf, because it did not run or nothing reached it, which only its caller knows: then everybody
gets `SILENCE_CATCH_UP` to be heard.
"""

from rules.condition_machine import Machine
from rules.findings import Condition
from rules.inhibitions import Inhibitions
from rules.judgement import Judgement
from rules.speech import Speech
from rules.state import EngineState, Instance, Timer
from rules.timers import AWAY, BEHIND, CATCH_UP, SILENCE_CATCH_UP, SILENT, Timers, cancel
from rules.watch import DeviceRuntime, Turn, Watch


class Silence:
    """Raises and clears the alarms that say: this device is not being watched."""

    def __init__(
        self,
        state: EngineState,
        timers: Timers,
        speech: Speech,
        machine: Machine,
        judgement: Judgement,
        inhibitions: Inhibitions,
    ) -> None:
        self._state = state
        self._timers = timers
        self._speech = speech
        self._machine = machine
        self._judgement = judgement
        self._inhibitions = inhibitions

    def deaf(self, now: int) -> None:
        """Nothing can be heard at `now`: silence proves nothing until everybody could speak again."""
        self._state.settled = max(self._state.settled, now + SILENCE_CATCH_UP)

    def expect(self, watch: Watch) -> None:
        """Look at it when it would be silent if nothing came."""
        if _decided_or_waiting(watch.instance):
            watch.device.unheard.append(watch)
        else:
            self._timers.look_at(watch.alarm, _due(watch))

    def expect_again(self, device: DeviceRuntime) -> None:
        """The clock has been put back, so silence may come sooner than it was looked for."""
        for watch in device.silences:
            if watch not in device.unheard:
                self._timers.look_at(watch.alarm, _due(watch))

    def check(self, watch: Watch, wake: int, turn: Turn) -> None:
        """A deadline has come, written down or not: raise, wait, or look again later."""
        if _decided_or_waiting(watch.instance):
            return
        due = _due(watch)
        if due > wake:
            self._timers.look_at(watch.alarm, due)
            return
        found = self._judgement.record(watch)
        if turn.now < self._state.settled or turn.now - due > AWAY:
            # The engine itself was not there, or deaf: what waits to be read may hold news.
            self._wait(watch, found, SILENT, due, max(self._state.settled, turn.now + SILENCE_CATCH_UP))
        elif not self._wait_for_edge(watch, found, due, turn):
            self._raise(watch, due, turn)

    def waited(self, watch: Watch, found: Instance, name: str, turn: Turn) -> None:
        """The time of `name` is over: to catch up, or to learn about the edge."""
        found.timers.pop(name)
        watch.device.unheard.remove(watch)
        due = _due(watch)
        if due > turn.now:
            self._timers.look_at(watch.alarm, due)
        elif turn.now < self._state.settled:
            self._wait(watch, found, SILENT, due, self._state.settled)
        elif self._wait_for_edge(watch, found, due, turn):
            pass
        elif name == BEHIND and not found.firing and self._edge_speaks(watch):
            self._wait(watch, found, SILENT, due, turn.now + CATCH_UP)
        else:
            self._raise(watch, due, turn)
        self._speech.touch(watch)

    def heard(self, device: DeviceRuntime, at: int, turn: Turn) -> None:
        """The device has said something usable with event time `at`."""
        for watch in list(device.unheard):
            found, due = watch.instance, _due(watch)
            if found is None or due <= turn.now:
                continue  # a voice from the past: it does not say that the device speaks now
            device.unheard.remove(watch)
            for name in (SILENT, BEHIND):
                cancel(found, name)
            if found.firing:
                self._machine.finish(watch, found, at, turn)
            self._timers.look_at(watch.alarm, due)
            self._speech.touch(watch)

    def _wait(self, watch: Watch, found: Instance, name: str, due: int, wake: int) -> None:
        found.timers[name] = Timer(due, wake)
        watch.device.unheard.append(watch)
        self._timers.look_at(watch.alarm, wake)
        self._speech.touch(watch)

    def _wait_for_edge(self, watch: Watch, found: Instance, due: int, turn: Turn) -> bool:
        """Wait just past the moment when a silent edge is found to be so; False when there is none such."""
        for source in self._inhibitions.sources(watch):
            edge = source.instance
            if edge is not None and edge.firing:
                return False
            if source.silence is None or source.device.last_known(source.silence) > due:
                continue
            waits = [timer.wake for timer in edge.timers.values()] if edge is not None else []
            look = max([_due(source), *waits])
            if look >= turn.now:
                self._wait(watch, found, BEHIND, due, look + 1)
                return True
        return False

    def _edge_speaks(self, watch: Watch) -> bool:
        sources = [source.instance for source in self._inhibitions.sources(watch)]
        return all(edge is None or not edge.firing for edge in sources)

    def _raise(self, watch: Watch, due: int, turn: Turn) -> None:
        plan = watch.silence
        if plan is None:
            return
        found = self._judgement.record(watch)
        self._machine.begin(watch, found, plan.no_data.severity, due, turn)
        found.condition = Condition.ACTIVE
        watch.device.unheard.append(watch)
        self._speech.touch(watch)
        if watch.device.confirming:
            self._machine.reconsider(watch.device.confirming, due, turn)


def _decided_or_waiting(found: Instance | None) -> bool:
    return found is not None and (found.firing or SILENT in found.timers or BEHIND in found.timers)


def _due(watch: Watch) -> int:
    plan = watch.silence
    return watch.device.last_known(plan) + plan.after if plan is not None else 0
