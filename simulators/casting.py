"""Who plays a scenario's actors: devices of the site, chosen by what they are and where they hang.

A scenario names its actors by role ("a smoke detector in a kitchen, another one in the same fire
zone"), so that it plays in every community. The choice is a small search: the first devices, in the
order of preference the scenario gives, that satisfy all actors together.
"""

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from language import N_, Message
from registry.device_types import DeviceType
from registry.devices import Device
from registry.grids import Place
from simulators.scenario import Scenario, Selector

Cast = Mapping[str, tuple[Device, ...]]
"""Actor → the devices that play it; an optional actor may be missing."""


class NotPlayable(Exception):
    """The site has no devices for this scenario. Choose another, or install some."""

    def __init__(self, message: Message) -> None:
        self.message = message
        super().__init__(str(message))


@dataclass(frozen=True, slots=True)
class Ensemble:
    """The devices that may play, with their types and places."""

    devices: Mapping[str, Device]
    types: Mapping[str, DeviceType]
    places: Mapping[str, Place]

    def place_of(self, device: Device) -> Place | None:
        """Where it hangs, as far as the site says."""
        return self.places.get(device.place)


def cast(scenario: Scenario, ensemble: Ensemble, order: Sequence[str] | None = None) -> Cast:
    """Devices for every actor of `scenario`; raises `NotPlayable`.

    `order` gives device ids in the order to consider them in (all of them; default: the site's own).
    Optional actors are left out only if there is no way to have them.
    """
    pool = [ensemble.devices[device] for device in order] if order else list(ensemble.devices.values())
    actors = list(scenario.actors.items())
    for need_all in (True, False):
        found = next(_solutions(actors, {}, pool, ensemble, need_all), None)
        if found is not None:
            return found
    missing = next(
        (
            name
            for count, (name, selector) in enumerate(actors, start=1)
            if not selector.optional
            and next(_solutions(actors[:count], {}, pool, ensemble, need_all=False), None) is None
        ),
        "",
    )
    raise NotPlayable(
        Message(
            N_("the scenario {scenario} needs a device for `{actor}`, and this site has none that fits"),
            {"scenario": scenario.id, "actor": missing},
        )
    )


def _solutions(
    actors: Sequence[tuple[str, Selector]],
    chosen: dict[str, tuple[Device, ...]],
    pool: Sequence[Device],
    ensemble: Ensemble,
    need_all: bool,
) -> Iterator[dict[str, tuple[Device, ...]]]:
    if not actors:
        yield dict(chosen)
        return
    (name, selector), rest = actors[0], actors[1:]
    taken = {device.id for devices in chosen.values() for device in devices}
    fitting = [device for device in _candidates(selector, chosen, pool, ensemble) if device.id not in taken]
    for start in range(len(fitting) - selector.count + 1):
        chosen[name] = tuple(fitting[start : start + selector.count])
        yield from _solutions(rest, chosen, pool, ensemble, need_all)
        del chosen[name]
    if selector.optional and not need_all and len(fitting) < selector.count:
        yield from _solutions(rest, chosen, pool, ensemble, need_all)


def _candidates(
    selector: Selector,
    chosen: Mapping[str, tuple[Device, ...]],
    pool: Sequence[Device],
    ensemble: Ensemble,
) -> list[Device]:
    """The devices that fit, best first: by the order of `same`, then of `place`."""
    plain = [device for device in pool if _is(device, selector, ensemble)]
    ranked: dict[str, Device] = {}
    for same in selector.same or ({},):
        near = [
            device
            for device in plain
            if all(_shares(device, k, chosen.get(a), ensemble) for k, a in same.items())
        ]
        for pattern in selector.place or ("*",):
            for device in near:
                if pattern == "*" or _hangs_at(device, pattern, ensemble):
                    ranked.setdefault(device.id, device)
    return list(ranked.values())


def _is(device: Device, selector: Selector, ensemble: Ensemble) -> bool:
    if selector.device:
        return device.id == selector.device
    kind = ensemble.types[device.type]
    return (
        _among(device.type, selector.type)
        and _among(kind.device_class, selector.device_class)
        and _among(device.edge, selector.edge)
        and _among(device.connection, selector.connection)
        and {point.name for point in kind.points}.issuperset(selector.points)
        and _of_place(device, selector, ensemble)
    )


def _of_place(device: Device, selector: Selector, ensemble: Ensemble) -> bool:
    if not (selector.fire_zone or selector.building or selector.grid):
        return True
    place = ensemble.place_of(device)
    return (
        place is not None
        and _among(place.fire_zone, selector.fire_zone)
        and _among(place.building, selector.building)
        and _among(place.grid, selector.grid)
    )


def _among(value: str, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(fnmatch.fnmatchcase(value, pattern) for pattern in patterns)


def _hangs_at(device: Device, pattern: str, ensemble: Ensemble) -> bool:
    place = ensemble.place_of(device)
    words = [device.place, device.name]
    if place is not None:
        words += [*place.name.values(), place.building, place.unit]
    return any(fnmatch.fnmatchcase(word.lower(), pattern.lower()) for word in words)


def _shares(device: Device, what: str, others: tuple[Device, ...] | None, ensemble: Ensemble) -> bool:
    if not others:
        return True  # next to an optional actor that is not there: anywhere
    mine, theirs = (_whereabouts(d, what, ensemble) for d in (device, others[0]))
    return bool(mine) and mine == theirs


def _whereabouts(device: Device, what: str, ensemble: Ensemble) -> tuple[str, ...] | str:
    if what in ("place", "edge", "connection"):
        return str(getattr(device, what))
    place = ensemble.place_of(device)
    if place is None:
        return ""
    if what == "floor":  # a floor's number means something within its building only
        return (place.building, place.unit, place.floor) if place.floor else ""
    if what == "fire_zone":
        return (place.building, place.fire_zone) if place.fire_zone else ""
    return str(getattr(place, what))
