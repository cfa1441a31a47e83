"""Absence: nothing usable has been heard of a device for too long.

Counted from the newest *known* value, so a device that only sends NaN is silent; seeded from the registry,
so a device that never spoke is silent, too. Nothing is written per reading: the deadline in the heap is
checked against the device's marks when it comes, and moved when the device has spoken since.
"""

from rules.condition_machine import Machine
from rules.findings import Condition
from rules.judgement import Judgement
from rules.speech import Speech
from rules.state import Instance, Timer
from rules.timers import AWAY, SILENCE_CATCH_UP, SILENT, Timers, cancel
from rules.watch import DeviceRuntime, Turn, Watch


class Silence:
    """Raises and clears the alarms that say: this device is not being watched."""

    def __init__(self, timers: Timers, speech: Speech, machine: Machine, judgement: Judgement) -> None:
        self._timers = timers
        self._speech = speech
        self._machine = machine
        self._judgement = judgement

    def expect(self, watch: Watch) -> None:
        """Look at it when it would be silent if nothing came."""
        found = watch.instance
        if found is not None and (found.firing or SILENT in found.timers):
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
        found = watch.instance
        if found is not None and (found.firing or SILENT in found.timers):
            return
        due = _due(watch)
        if due > wake:
            self._timers.look_at(watch.alarm, due)
        elif turn.now - due > AWAY:
            # The engine itself was not there when it came: what waits to be read may hold news.
            found = self._judgement.record(watch)
            found.timers[SILENT] = Timer(due, turn.now + SILENCE_CATCH_UP)
            self._timers.look_at(watch.alarm, turn.now + SILENCE_CATCH_UP)
            watch.device.unheard.append(watch)
            self._speech.touch(watch)
        else:
            self._raise(watch, due, turn)

    def waited(self, watch: Watch, found: Instance, turn: Turn) -> None:
        """The time to catch up is over."""
        found.timers.pop(SILENT)
        watch.device.unheard.remove(watch)
        due = _due(watch)
        if due > turn.now:
            self._timers.look_at(watch.alarm, due)
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
            cancel(found, SILENT)
            if found.firing:
                self._machine.finish(watch, found, at, turn)
            self._timers.look_at(watch.alarm, due)
            self._speech.touch(watch)

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


def _due(watch: Watch) -> int:
    plan = watch.silence
    return watch.device.last_known(plan) + plan.after if plan is not None else 0
