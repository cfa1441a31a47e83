"""After a start or a reload: the state meets the program that goes on with it."""

from rules.condition_machine import Machine
from rules.findings import Condition, Ending
from rules.house import House
from rules.inhibitions import Inhibitions
from rules.judgement import Judgement
from rules.silence import Silence
from rules.state import Instance, StepState
from rules.steps import switch_off
from rules.timers import CLOSE, LINGER, OPEN, Timers, cancel
from rules.watch import Turn, Watch


class Reconciliation:
    """Runs once per program, at the first call that tells the time."""

    def __init__(
        self,
        house: House,
        timers: Timers,
        machine: Machine,
        judgement: Judgement,
        silence: Silence,
        inhibitions: Inhibitions,
    ) -> None:
        self._house = house
        self._timers = timers
        self._machine = machine
        self._judgement = judgement
        self._silence = silence
        self._inhibitions = inhibitions

    def run(self, turn: Turn) -> None:
        """Take up every record, end what has lost its rule or device, and expect every watched device."""
        house, state = self._house, self._house.state
        for name in [name for name in state.devices if name not in house.program.site.devices]:
            house.forget(name)
        for name in {found.device for found in state.instances.values()}:
            house.device(name, turn.now)
        for name in house.program.watched_for_silence:
            house.device(name, turn.now)
        watches = [(alarm, self._watch_of(alarm, found, turn)) for alarm, found in state.instances.items()]
        for alarm, watch in watches:  # first, so that what is judged below is muted rightly
            found = state.instances[alarm]
            told = found.firing and not found.held
            if watch is not None and (told or LINGER in found.timers):
                if told:
                    self._machine.firing[alarm] = watch
                if self._inhibitions.is_source(watch):
                    self._inhibitions.begin(watch)
        for alarm, watch in sorted(watches, key=lambda item: item[0]):
            found = state.instances[alarm]
            if watch is None:
                self._end(alarm, found, turn)
            else:
                self._take_up(watch, found, turn)
        silences = [watch for watch in house.watches.values() if watch.silence is not None]
        for watch in silences:
            if self._inhibitions.is_source(watch):
                self._inhibitions.know(watch)
        for watch in silences:
            self._silence.expect(watch)

    def _watch_of(self, alarm: str, found: Instance, turn: Turn) -> Watch | None:
        watch = self._house.watches.get(alarm)
        rule = self._house.program.rules.get(alarm.partition(":")[0])
        if watch is None and rule is not None and "device" not in rule.key:
            for device in self._house.program.members(rule):  # the device it was noted under is gone
                self._house.device(device, turn.now)
            watch = self._house.watches.get(alarm)
            if watch is not None:
                found.device = watch.device.plan.device.id
        return watch

    def _end(self, alarm: str, found: Instance, turn: Turn) -> None:
        if found.condition is Condition.NORMAL and not found.timers:
            return
        program = self._house.program
        rule = program.rules.get(alarm.partition(":")[0])
        if rule is None:
            reason = Ending.RULE_REMOVED
        elif not rule.enabled:
            reason = Ending.RULE_DISABLED
        elif found.device not in program.site.devices:
            reason = Ending.DEVICE_REMOVED
        else:
            reason = Ending.NOT_WATCHED
        self._machine.end(alarm, found, reason, turn)
        self._house.changed(alarm)

    def _take_up(self, watch: Watch, found: Instance, turn: Turn) -> None:
        if watch.stamp != found.stamp:
            self._changed(watch, found, turn)
        self._timers.restore(watch.alarm, found)
        watch.rest()

    def _changed(self, watch: Watch, found: Instance, turn: Turn) -> None:
        """The rule means something else now, or this device's threshold does."""
        found.stamp = watch.stamp
        self._house.changed(watch.alarm)
        if watch.silence is not None:
            return
        found.hits = []
        for name in [name for name in found.timers if name.startswith("for") or name in (OPEN, CLOSE)]:
            cancel(found, name)
        was_on = any(state.on for state in found.steps)
        found.steps = [StepState() for _ in watch.steps]
        if was_on:
            same = [i for i, step in enumerate(watch.steps) if step.severity == found.severity]
            found.steps[same[0] if same else 0].on = True
        if found.firing:
            found.anew = not watch.pulse
            self._judgement.arm(watch, found, turn.now, turn)
            return
        switch_off(found.steps)
        found.condition, found.verdict = Condition.NORMAL, False
        if not watch.pulse and watch.device.values:
            if not watch.complete:
                self._house.gather(watch, turn.now)
            self._judgement.state(watch, turn.now, turn)
