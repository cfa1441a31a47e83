"""The engine: readings, ticks and commands in, findings out.

Pure: `now` comes from the caller (ns since 1970-01-01 UTC), and every call returns what it found. After a
call `take_changes` gives the records to store, in the same transaction as the position in the log and
whatever is made of the findings.
"""

from collections.abc import Iterable, Sequence

from readings.quality import Quality
from readings.reading import Reading
from readings.sample import Scalar
from rules.commands import Acknowledge, Refused, Reset
from rules.compile import Program
from rules.condition_machine import Machine
from rules.confirm import Confirmation
from rules.findings import Evidence, Finding
from rules.house import House
from rules.inhibitions import Inhibitions
from rules.judgement import Judgement
from rules.reconcile import Reconciliation
from rules.replay import LIVE
from rules.silence import Silence
from rules.speech import Speech, no_alarm
from rules.state import Changes, EngineState, Mark
from rules.timers import BEHIND, SILENT, Timers, reached
from rules.verdicts import usable
from rules.watch import Binding, DeviceRuntime, Turn, Watch

AHEAD = 30_000_000_000
"""A device's time may be this far ahead of its arrival (ns); more is a wrong clock, and arrival counts."""

_FAULT = int(Quality.DEVICE_FAULT)  # plain numbers: the flag's own `&` costs more than a condition

BURST = 1_000
"""Deadlines that one tick looks at, so that none takes longer than some milliseconds …"""
BURST_FOUND = 100
"""… and findings after which it stops."""


class Engine:
    """One program over one state.

    The first call after construction (and `reload`) compares the state with the program: what belongs to
    rules or devices that are gone ends, what belongs to changed rules is judged anew.
    """

    def __init__(self, program: Program, state: EngineState) -> None:
        self._state = state
        self._speech = Speech()
        self._assemble(program)

    def _assemble(self, program: Program) -> None:
        self._program = program
        self._timers = Timers()
        self._house = House(program, self._state, self._speech)
        inhibitions = Inhibitions(program)
        confirmation = Confirmation(program, self._house.watches)
        self._machine = Machine(self._timers, self._speech, confirmation, inhibitions)
        self._judgement = Judgement(self._state.instances, self._timers, self._speech, self._machine)
        self._silence = Silence(
            self._state, self._timers, self._speech, self._machine, self._judgement, inhibitions
        )
        self._reconciliation: Reconciliation | None = Reconciliation(
            self._house, self._timers, self._machine, self._judgement, self._silence, inhibitions
        )

    def feed(self, readings: Iterable[Reading], now: int, *, replayed: bool = False) -> list[Finding]:
        """Judge `readings` in the order of their event times.

        `replayed` says that they waited in an edge's outbox through an outage. Readings of devices or
        points that no rule looks at are passed over.
        """
        turn = self._turn(now, replayed=replayed)
        ordered = sorted(readings, key=_order)
        next_deadline, device_of = self._timers.next, self._house.device
        index, count = 0, len(ordered)
        while index < count:
            first = ordered[index]
            time, name = first.time, first.device
            end = index + 1
            while end < count and ordered[end].time == time and _same_moment(first, ordered[end]):
                end += 1
            at = time if time <= first.received + AHEAD else first.received
            upcoming = next_deadline()
            if upcoming is not None and upcoming <= at:
                self._deadlines(min(at, now), turn)
            device = device_of(name, now)
            if device is not None:
                turn.past = now - at > LIVE and now - first.taken > LIVE
                self._moment(device, (first,) if end == index + 1 else ordered[index:end], at, turn)
            index = end
        return turn.findings

    def tick(self, now: int) -> list[Finding]:
        """Fire the deadlines that `now` has reached.

        A burst of them takes several calls: while `next_deadline` is not after `now`, call again.
        """
        turn = self._turn(now)
        self._deadlines(now, turn, in_bursts=True)
        return turn.findings

    def next_deadline(self) -> int | None:
        """When `tick` should be called next; it may find nothing to do then."""
        return self._timers.next() if self._reconciliation is None else 0

    @property
    def last_call(self) -> int:
        """When this state was last worked on, also by an engine before a restart; 0: never."""
        return self._state.last

    def deaf(self, now: int) -> None:
        """Nothing has reached the engine until `now`: the silence of devices proves nothing for a minute.

        For whoever drives it to call at a start after an absence, and while what feeds it is down.
        """
        self._turn(now)
        self._silence.deaf(now)

    def command(self, command: Acknowledge | Reset, now: int) -> list[Finding]:
        """Carry out what an operator wants; raises `Refused` (nothing has changed then).

        Acknowledging again, or what is over, is no error: it finds nothing.
        """
        turn = self._turn(now)
        watch = self._house.watches.get(command.alarm)
        if watch is None:
            raise Refused(no_alarm(command.alarm))
        if isinstance(command, Acknowledge):
            self._machine.acknowledge(watch, command, turn)
        else:
            self._machine.reset(watch, command, turn)
        return turn.findings

    def reload(self, program: Program, now: int) -> list[Finding]:
        """Go on with other rules or another site.

        Alarms of rules and devices that are gone end with a reason. A firing alarm of a changed rule stays
        until the next reading decides by the new version; one on its way starts counting again.
        """
        self._assemble(program)
        return self._turn(now).findings

    def take_changes(self) -> Changes:
        """What has changed since the last call, as bytes to store."""
        speech = self._speech
        changes = self._state.encoded(speech.dirty, speech.heard)
        speech.dirty, speech.heard = set(), set()
        return changes

    def _turn(self, now: int, *, replayed: bool = False) -> Turn:
        turn = Turn(now, replayed)
        if self._reconciliation is not None:
            reconciliation, self._reconciliation = self._reconciliation, None
            reconciliation.run(turn)
        self._state.last = now
        return turn

    def _moment(self, device: DeviceRuntime, readings: Sequence[Reading], at: int, turn: Turn) -> None:
        """What one device said at one instant, taken together.

        A mark from the future is no order to keep: the gateway's clock was ahead and has been put right.
        """
        marks, kinds = device.marks, device.kinds
        touched: tuple[Binding, ...] = ()
        late: list[Reading] = []
        heard = shaken = corrected = False
        event = readings[0].event
        for reading in readings:
            point = reading.point
            kind = kinds.get(point)
            if kind is None:
                continue
            value = reading.value if usable(reading.value, kind) else None
            if value is not None and at > marks.heard:
                marks.heard = at
                heard = True
            elif value is not None and marks.heard > turn.now + AHEAD:
                marks.heard = at
                heard = corrected = True
            bindings = device.by_point.get(point)
            if bindings is None:
                continue
            fault = int.__and__(reading.quality, _FAULT) != 0
            mark = marks.points.get(point)
            if mark is None:
                marks.points[point] = Mark(at, at if value is not None else 0, value, event, fault)
                shaken = shaken or fault or value is None
            elif at < mark.time <= turn.now + AHEAD:
                late.append(reading)
                continue
            elif at == mark.time and value == mark.value and event == mark.event:
                continue
            else:
                shaken = shaken or fault > mark.fault or (value is None and mark.value is not None)
                mark.time, mark.value, mark.event, mark.fault = at, value, event, fault
                if value is not None:
                    mark.known = at
            heard = True
            device.values[point] = value
            touched = bindings if not touched else touched + bindings
        if heard:
            self._speech.heard.add(device.name)
            if device.unheard:
                self._silence.heard(device, at, turn)
            if corrected:
                self._silence.expect_again(device)
        if late:
            self._late(device, late, at, turn)
        values = device.values
        for binding in touched if len(readings) == 1 else dict.fromkeys(touched):
            watch = binding.watch
            if watch.pulse:
                self._judgement.pulse(watch, _of_the_event(device, event), at, event, turn)
            elif binding.anything(values) or not watch.quiet:
                if not watch.complete:
                    self._house.gather(watch, turn.now)
                self._judgement.state(watch, at, turn)
        if shaken and device.confirming:
            self._machine.reconsider(device.confirming, at, turn)

    def _late(self, device: DeviceRuntime, readings: list[Reading], at: int, turn: Turn) -> None:
        """Readings that are older than what is known: of the same instant, so judged together."""
        values = {
            **(_of_the_event(device, readings[0].event)),
            **{r.point: r.value for r in readings if usable(r.value, device.kinds[r.point])},
        }
        evidence = tuple(
            Evidence(r.device, r.point, r.value, at, r.event)
            for r in readings
            if usable(r.value, device.kinds[r.point])
        )
        newest = max(device.marks.points[reading.point].time for reading in readings)
        for binding in dict.fromkeys(b for r in readings for b in device.by_point[r.point]):
            if evidence:
                self._judgement.late(binding.watch, values, at, newest, evidence, turn)

    def _deadlines(self, limit: int, turn: Turn, *, in_bursts: bool = False) -> None:
        for count, (wake, alarm) in enumerate(self._timers.due(limit), start=1):
            watch = self._house.watches.get(alarm)
            if watch is not None:
                self._wake(watch, wake, turn)
            if in_bursts and (count >= BURST or len(turn.findings) >= BURST_FOUND):
                break

    def _wake(self, watch: Watch, wake: int, turn: Turn) -> None:
        # Only what was due at `wake`, although more may be due by now: that has its own place in the order,
        # so that entries which have become stale change nothing.
        found = watch.instance
        while found is not None and (name := reached(found, wake=wake)) is not None:
            if self._timers.postpone(watch.alarm, found, name, turn.now):
                self._speech.touch(watch)
            elif name in (SILENT, BEHIND):
                self._silence.waited(watch, found, name, turn)
            else:
                self._judgement.fire(watch, found, name, turn)
        if watch.silence is not None:
            self._silence.check(watch, wake, turn)


def event_time(reading: Reading) -> int:
    """The time a reading is judged by: its own, or its arrival when its clock runs ahead."""
    return reading.time if reading.time <= reading.received + AHEAD else reading.received


def _order(reading: Reading) -> tuple[int, str, str, int]:
    time, received = reading.time, reading.received  # as `event_time`
    return (time if time <= received + AHEAD else received, reading.device, reading.event, time)


def _same_moment(first: Reading, other: Reading) -> bool:
    return first.device == other.device and first.event == other.event


def _of_the_event(device: DeviceRuntime, event: str) -> dict[str, Scalar | None]:
    """The device's values, without those that belong to another event."""
    marks = device.marks.points
    return {
        point: value
        for point, value in device.values.items()
        if point not in marks or not marks[point].event or marks[point].event == event
    }
