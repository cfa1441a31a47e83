"""A scenario as a sequence of actions in order of time. Pure: no clock, no wires.

`timeline` is lazy, because a step may repeat for ever or send hundreds of readings a second; whoever
plays it waits until each action's moment and applies it.
"""

import heapq
import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from language import N_
from readings import Scalar
from registry.devices import Device
from simulators.casting import Cast, Ensemble, NotPlayable, cast
from simulators.device import Break, Change, Fault, Glide, Hold, Occur, Release, Report, spoken
from simulators.progress import Progress, Word
from simulators.scenario import Ramp, Scenario, Step


@dataclass(frozen=True, slots=True)
class Action:
    """At `at` seconds of the story, these devices change; `progress` tells the person watching."""

    at: float
    devices: tuple[str, ...] = ()
    change: Change | None = None
    progress: Progress | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """What a timeline needs besides the scenario itself."""

    ensemble: Ensemble
    load: Callable[[str], Scenario]
    chance: random.Random


@dataclass(frozen=True, slots=True)
class _Begin:
    """Another scenario begins."""

    at: float
    scenario: Scenario
    elsewhere: bool


def timeline(scenario: Scenario, stage: Stage, *, at: float = 0.0) -> Iterator[Action]:
    """The actions of `scenario`, which begins `at` seconds into the story.

    Raises `NotPlayable` when the site lacks the devices. A scenario played inside another one that
    cannot be played becomes a line of progress (kind ``problem``), and the rest goes on. A step for a
    device that the site does not have, or for an optional actor without a device, is left out.
    """
    waiting: list[tuple[float, int, Action | _Begin, Iterator[Action | _Begin]]] = []
    order = itertools.count()

    def queue(actions: Iterator[Action | _Begin]) -> None:
        first = next(actions, None)
        if first is not None:
            heapq.heappush(waiting, (first.at, next(order), first, actions))

    for part in _parts(scenario, stage, cast(scenario, stage.ensemble), at):
        queue(part)
    while waiting:
        _, _, action, more = heapq.heappop(waiting)
        if isinstance(action, Action):
            yield action
        else:
            try:
                for part in _parts(action.scenario, stage, _cast(action, stage), action.at):
                    queue(part)
            except NotPlayable as error:
                values: dict[str, Word] = {name: str(value) for name, value in error.message.values.items()}
                yield Action(
                    action.at, progress=Progress(action.at, error.message.template, values, "problem")
                )
        queue(more)


def _cast(begin: _Begin, stage: Stage) -> Cast:
    order = list(stage.ensemble.devices)
    if begin.elsewhere:
        stage.chance.shuffle(order)
    return cast(begin.scenario, stage.ensemble, order)


def _parts(
    scenario: Scenario, stage: Stage, players: Cast, start: float
) -> Iterator[Iterator[Action | _Begin]]:
    """One sequence per step, and the scenario's own beginning and end."""
    length = scenario.length()
    title = scenario.title
    if scenario.steps:
        begin = Progress(start, N_("Scenario: {title}"), {"title": title}, "begin")
        yield iter([Action(start, progress=begin)])
    for step in scenario.steps:
        yield _step(step, stage, players, start)
    if length is not None and scenario.steps:
        everybody = tuple(dict.fromkeys(_touched(scenario, players)))
        over = Progress(start + length, N_("End of scenario: {title}"), {"title": title}, "end")
        yield iter([Action(start + length, everybody, Release() if everybody else None, over)])


def _touched(scenario: Scenario, players: Cast) -> Iterator[str]:
    for step in scenario.steps:
        if step.device:
            yield from (device.id for device in players.get(step.device, ()))
            if step.device not in scenario.actors:
                yield step.device


def _step(step: Step, stage: Stage, players: Cast, start: float) -> Iterator[Action | _Begin]:
    times = itertools.count() if step.repeat and step.repeat.times is None else None
    every = step.repeat.every if step.repeat else 0.0
    for turn in times or range((step.repeat.times or 1) if step.repeat else 1):
        at = start + step.at + turn * every
        if step.play:
            yield _Begin(at, stage.load(step.play[turn % len(step.play)]), step.elsewhere)
            continue
        devices = _devices(step.device, stage.ensemble, players)
        if not devices:
            return  # an optional actor that this site does not have
        ids = tuple(device.id for device in devices)
        told = _progress(step, devices[0], stage.ensemble, at) if turn == 0 or times is None else None
        for moment, change in _changes(step, devices, stage.ensemble):
            yield Action(at + moment, ids, change, told)
            told = None


def _devices(name: str, ensemble: Ensemble, players: Cast) -> Sequence[Device]:
    if name in players:
        return players[name]
    device = ensemble.devices.get(name)
    return [device] if device else []


def _changes(step: Step, devices: Sequence[Device], ensemble: Ensemble) -> Iterator[tuple[float, Change]]:
    if step.values:
        yield from _settings(step.values)
    elif step.event is not None:
        event = step.event
        yield 0.0, Occur(event.word, event.score, event.zones, event.lasts)
    elif step.fault is not None:
        yield 0.0, Break(None if step.fault == "none" else Fault(step.fault))
    elif step.rate is not None:
        points = max(1, len(spoken(ensemble.types[devices[0].type])))
        pause = points / step.rate.readings
        for count in range(max(1, round(step.rate.lasts / pause))):
            yield count * pause, Report()
    else:
        yield 0.0, Release()


def _settings(values: Mapping[str, Ramp | Scalar]) -> Iterator[tuple[float, Change]]:
    plain = {name: value for name, value in values.items() if not isinstance(value, Ramp)}
    if plain:
        yield 0.0, Hold(plain)
    glides = []
    for name, ramp in values.items():
        if isinstance(ramp, Ramp):
            count = max(1, round(ramp.over / ramp.every))
            glides += [
                (ramp.over * turn / count, Glide(name, ramp.to, turn / count, ramp.begin))
                for turn in range(count + 1)
            ]
    yield from sorted(glides, key=lambda glide: glide[0])


def _progress(step: Step, device: Device, ensemble: Ensemble, at: float) -> Progress:
    place = ensemble.place_of(device)
    values: dict[str, Word] = {
        "device": device.name or device.id,
        "place": dict(place.name) if place is not None and place.name else device.place,
    }
    if step.say:
        return Progress(at, N_("{place}: {what} ({device})"), {**values, "what": dict(step.say)})
    if step.values:
        name, value = next(iter(step.values.items()))
        points = {point.name: point for point in ensemble.types[device.type].points}
        label = dict(points[name].label) if name in points else {}
        values["point"] = label or name
        if isinstance(value, Ramp):
            values |= {"to": value.to, "over": round(value.over)}
            return Progress(at, N_("{place}: {point} moves to {to} within {over} s ({device})"), values)
        return Progress(at, N_("{place}: {point} is {value} ({device})"), {**values, "value": value})
    if step.event is not None:
        return Progress(at, N_("{place}: {what} ({device})"), {**values, "what": step.event.word})
    if step.rate is not None:
        values |= {"rate": round(step.rate.readings), "lasts": round(step.rate.lasts)}
        return Progress(at, N_("{place}: {rate} readings a second for {lasts} s ({device})"), values)
    if step.fault is not None and step.fault != "none":
        return Progress(at, N_("{place}: misbehaves, {fault} ({device})"), {**values, "fault": step.fault})
    return Progress(at, N_("{place}: well again ({device})"), values)
