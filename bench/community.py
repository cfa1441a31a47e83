"""What is measured on: the reference community, 200 rules, and what its devices say on a quiet day."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from readings import Lane, Scalar
from registry.device_types import Kind
from registry.loading import load_site
from registry.site import Site
from rules.compile import compile_rules
from rules.model import Rule
from simulators.community import write_community
from simulators.device import SimulatedDevice, spoken

VALUES: Final = 16
"""Different values that a series takes in turn, as its simulated device says them over a day."""
MORNING: Final = 1_763_769_600 * 1_000_000_000
_DAY: Final = 86_400 * 1_000_000_000

_WATCHED: Final = (
    ("smoke", "battery", "<", 12), ("smoke", "voltage", "<", 2.3), ("smoke", "linkquality", "<", 6),
    ("door", "battery", "<", 12), ("door", "voltage", "<", 2.3), ("door", "linkquality", "<", 6),
    ("environment", "temperature", ">", 48), ("environment", "humidity", ">", 97),
    ("environment", "battery", "<", 12), ("environment", "linkquality", "<", 6),
    ("gas", "gas_level", ">", 6), ("gas", "carbon_monoxide", ">", 40), ("gas", "linkquality", "<", 6),
    ("gas", "temperature", ">", 48), ("smoke", "smoke", "==", True), ("smoke", "tamper", "==", True),
    ("door", "tamper", "==", True), ("gas", "gas", "==", True), ("camera", "available", "==", False),
    ("door", "available", "==", False),
)  # fmt: skip
"""Device class, point, and what is out of the ordinary for it: twenty, ten rules each."""

_EDGES: Final = ("binhu-east", "binhu-west")


def write_site(folder: Path, devices: int, rules: int, broker_url: str) -> Site:
    """Write the reference community with `rules` rules of its own, and load it."""
    write_community(folder, devices=devices, broker_url=broker_url, serial_dir=str(folder / "lines"))
    text = yaml.safe_dump({"rules": generated_rules(rules)}, allow_unicode=True, sort_keys=False)
    (folder / "rules" / "bench.yaml").write_text(text, encoding="utf-8")
    loaded = load_site(folder)
    assert loaded.site is not None, loaded.problems
    return loaded.site


def generated_rules(count: int, *, narrow: bool = False) -> list[dict[str, Any]]:
    """`count` rules of the shapes that people write, going round the watched points.

    Of the ten for a point three watch every device of the class, four those of one edge and three those of
    the other, so a reading meets six or seven. `narrow`: each looks at one grid only.
    """
    return [_rule(number, narrow) for number in range(count)]


def _rule(number: int, narrow: bool) -> dict[str, Any]:
    kind, point, op, value = _WATCHED[number % len(_WATCHED)]
    turn = number // len(_WATCHED)
    limit: Any = value
    if op != "==":
        limit = round(value - turn % 10 * 0.1, 2) if op == "<" else round(value + turn % 10 * 0.1, 2)
    match: dict[str, Any] = {"device_type": kind}
    if turn % 10 >= 3:
        match["edge"] = _EDGES[turn % 10 >= 7]
    rule: dict[str, Any] = {
        "id": f"bench-{number:04}",
        "label": {"en": f"Bench {number}: {kind} {point}", "zh": f"测量 {number}"},
        "match": match,
        "when": {"point": point, "op": op, "value": limit},
        "severity": "medium",
        "case": {"category": "device_fault", "merge_by": ["place"], "window": "1h", "priority": "P4"},
    }
    if narrow:
        rule["match"] = {"device": [f"nowhere-{number}"], "device_type": kind}
    shape = turn % 5
    if shape == 1:
        rule["for"] = "60s"
    elif shape == 2 and op != "==":
        rule["clear"] = {"op": ">=" if op == "<" else "<=", "value": limit + (3 if op == "<" else -3)}
    elif shape == 3:
        rule |= {"for": "30s", "latch": True}
    elif shape == 4:
        rule["keep_for"] = "5m"
    return rule


@dataclass(frozen=True)
class Traffic:
    """What the devices of an edge say in a lane, in turn."""

    edge: str
    lane: Lane
    series: Sequence[tuple[str, str]]
    values: Sequence[Sequence[Scalar]]
    """Per series `VALUES` wire values."""

    def value(self, number: int) -> Scalar:
        """The value of the n-th reading."""
        count = len(self.series)
        return self.values[number % count][number // count % VALUES]


def traffic(site: Site) -> list[Traffic]:
    """Every point that the site's devices report by themselves (no events), by edge and lane."""
    series: dict[tuple[str, Lane], list[tuple[str, str]]] = {}
    values: dict[tuple[str, Lane], list[tuple[Scalar, ...]]] = {}
    for device in site.devices.values():
        kind = site.types[device.type]
        simulated = SimulatedDevice(device, kind)
        for point in kind.points if kind.device_class == "camera" else spoken(kind):
            if kind.device_class == "edge" or (
                kind.device_class == "camera" and point.kind is not Kind.BINARY
            ):
                continue
            key = (device.edge, point.lane)
            series.setdefault(key, []).append((f"{device.connection}/{device.address}", point.native))
            said = tuple(
                simulated.wire_value(point, MORNING + step * _DAY // VALUES) for step in range(VALUES)
            )
            values.setdefault(key, []).append(said)
    return [Traffic(edge, lane, found, values[edge, lane]) for (edge, lane), found in series.items()]


def matched(rules: Mapping[str, Rule], site: Site, readings: Sequence[tuple[str, str]]) -> float:
    """How many rules look at a reading on average; `readings` as (device, point)."""
    program = compile_rules(list(rules.values()), site)
    found = 0
    for device, point in readings:
        plan = program.device(device)
        found += sum(point in watch.points for watch, _ in plan.watches) if plan is not None else 0
    return found / max(1, len(readings))


def buildings(site: Site, edge: str) -> list[tuple[str, str]]:
    """One Zigbee smoke detector per building of the edge, as (building, address)."""
    found: dict[str, str] = {}
    for device in site.devices.values():
        if device.type == "z2m-smoke" and device.edge == edge:
            found.setdefault(site.places[device.place].building, device.address)
    return list(itertools.islice(found.items(), len(found)))
