"""The devices and alarms in memory, made when they are first needed."""

from rules.compile import DevicePlan, Program, SilencePlan
from rules.model import Rule
from rules.speech import SILENCE_SUFFIX, Speech
from rules.state import DeviceMarks, EngineState
from rules.watch import Binding, DeviceRuntime, Watch


class House:
    """Everything the engine knows by name."""

    def __init__(self, program: Program, state: EngineState, speech: Speech) -> None:
        self.program = program
        self.state = state
        self.watches: dict[str, Watch] = {}
        self._speech = speech
        self._devices: dict[str, DeviceRuntime | None] = {}

    def device(self, device_id: str, now: int) -> DeviceRuntime | None:
        """The device, known from `now` on if it is new; None when no rule wants to hear of it."""
        if device_id in self._devices:
            return self._devices[device_id]
        plan = self.program.device(device_id)
        wanted = plan is not None and (plan.watches or plan.silences)
        found = self._devices[device_id] = self._made(plan, now) if plan is not None and wanted else None
        return found

    def gather(self, watch: Watch, now: int) -> None:
        """Make sure that all devices that share this alarm are there."""
        for device in self.program.group(watch.rule, watch.rule.key, watch.labels):
            self.device(device, now)

    def changed(self, alarm: str) -> None:
        """The record of an alarm has changed."""
        self._speech.dirty.add(alarm)

    def forget(self, device: str) -> None:
        """The site no longer has this device."""
        del self.state.devices[device]
        self._speech.heard.add(device)

    def identity(self, rule: Rule, labels: dict[str, str]) -> str:
        """The alarm of `rule` for a device with these labels: ``smoke:kitchen-3``."""
        return f"{rule.id}:{'/'.join(labels.get(label, '-') for label in rule.key)}"

    def _made(self, plan: DevicePlan, now: int) -> DeviceRuntime:
        name = plan.device.id
        marks = self.state.devices.get(name)
        if marks is None:
            marks = self.state.devices[name] = DeviceMarks(seeded=now)
            self._speech.heard.add(name)
        device = DeviceRuntime(plan, marks)
        by_point: dict[str, list[Binding]] = {}
        for watch_plan, openings in plan.watches:
            watch = self._watch(watch_plan.rule, dict(plan.labels))
            binding = Binding(watch, device, watch_plan, openings)
            watch.bind(binding)
            if watch.confirm is not None:
                device.confirming.append(watch)
            for point in watch_plan.points:
                looking = by_point.setdefault(point, [])
                # An event is judged when it happens, not when something else is said.
                if not watch_plan.pulse or point in watch_plan.events:
                    looking.append(binding)
            watch.rest()
        device.by_point = {point: tuple(bindings) for point, bindings in by_point.items()}
        device.silences = [self._silence_watch(device, silence) for silence in plan.silences]
        return device

    def _watch(self, rule: Rule, labels: dict[str, str]) -> Watch:
        alarm = self.identity(rule, labels)
        watch = self.watches.get(alarm)
        if watch is None:
            shared = "device" not in rule.key
            if shared:
                same = [label for label in labels if self._shared_label(rule, label)]
                labels = {label: labels[label] for label in same}
            watch = self.watches[alarm] = Watch(rule, alarm, labels)
            watch.complete = not shared
            watch.instance = self.state.instances.get(alarm)
        return watch

    def _shared_label(self, rule: Rule, label: str) -> bool:
        """Whether all devices of a shared alarm have this label in common: the key, and what contains it."""
        contains = {
            "place": ("place", "building", "fire_zone", "grid1", "grid2", "grid3"),
            "fire_zone": ("fire_zone",),
            "grid3": ("grid3", "grid2", "grid1"),
            "grid2": ("grid2", "grid1"),
        }
        return any(label in contains.get(key, (key,)) for key in rule.key)

    def _silence_watch(self, device: DeviceRuntime, plan: SilencePlan) -> Watch:
        suffix = SILENCE_SUFFIX if plan.rule.watches else ""
        alarm = f"{plan.rule.id}:{device.plan.device.id}{suffix}"
        watch = self.watches[alarm] = Watch(plan.rule, alarm, device.plan.labels)
        watch.silence, watch.stamp = plan, plan.stamp
        watch.flap = None if plan.rule.watches else plan.rule.flap
        watch.instance = self.state.instances.get(alarm)
        watch.bind(Binding(watch, device, None, None))
        watch.rest()
        return watch
