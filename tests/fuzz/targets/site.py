"""The files of a site folder: any bytes lead to a site or to a list of problems, never to a traceback.

Each target puts its bytes in place of one file of a small sound site and loads the whole folder. What
loads must also work: rules compile and judge, calendars answer, everything can be shown as JSON.
"""

import atexit
import json
import shutil
import tempfile
from functools import cache, partial
from pathlib import Path
from unittest.mock import patch

import registry.types_folder
from edge.drivers import DRIVERS
from edge.drivers.modbus_rtu.profile import plan
from gateway.api.limits import limits_of
from gateway.configuration import Configuration, load_configuration
from language import LANGUAGES, translator
from readings import Lane, Reading, SampleBatch
from registry.calendars import Hours, NeverOpen, after
from registry.site import Site
from registry.types_folder import shipped_types
from rules.compile import compile_rules
from rules.engine import Engine
from rules.explain import explain
from rules.model import Rule
from rules.state import EngineState
from tests.fuzz.target import Target
from tests.fuzz.targets.wire import conserved
from tests.ingest.world import sample

NOW = 1_790_000_000_000_000_000

SITE = """\
name: {zh: 小区, en: Estate}
timezone: Asia/Shanghai
languages: [zh-CN, en]
position: {x: 117.28, y: 31.72}
"""
GRIDS = """\
id,name_zh,name_en,kind,level,parent,officer
R1,临滨苑,Linbin Yuan,residential,1,,wang
R1-01,第1片,Section 1,residential,2,R1,
R1-01-01,1号楼,Building 1,residential,3,R1-01,wang
"""
PLACES = """\
id,name_zh,name_en,grid,building,unit,floor,fire_zone,closed,x,y
kitchen,厨房,Kitchen,R1-01-01,1号楼,2,6,z1,,117.28,31.72
hall,大厅,Hall,R1-01-01,2号楼,,1,,night,117.281,31.721
"""
PEOPLE = """\
id,name,role,phone,unit
wang,王芳,grid_officer,,
li,李强,department,,city
"""
UNITS = """\
- {id: city, name: {zh: 城市管理部, en: City management}, phone: "12345"}
"""
CALENDARS = """\
- {id: office, days: mon-fri, start: 08:30, end: 17:30, holidays: CN, closed_on: [2026-10-08]}
- {id: night, start: 22:00, end: 06:00, open_on: ["2026-10-01"]}
- {id: shop, start: 09:00, end: 21:00, outside: true}
"""
CATEGORIES = """\
- id: fire
  label: {zh: 火情, en: Fire}
  urgent: true
  accept_within: 3m
  handle_within: 2h
  milestones: [{id: arrived, label: 到场, within: 10m}]
  closing_standard: {zh: 无烟, en: No smoke}
  unit: city
  evidence: [{id: photo, label: 照片, kind: photo}]
- id: litter
  label: 垃圾
  accept_within: 1d
  handle_within: 3d 4h
  calendar: office
  closing_standard: 干净
  unit: city
- {id: gas, label: 燃气, accept_within: 3m, handle_within: 2h, closing_standard: 通风, unit: city}
- {id: door, label: 门, accept_within: 10m, handle_within: 1d, closing_standard: 关好, unit: city}
- {id: intrusion, label: 闯入, accept_within: 5m, handle_within: 4h, closing_standard: 查清, unit: city}
- {id: device_fault, label: 故障, accept_within: 4h, handle_within: 3d, closing_standard: 修好, unit: city}
"""
DEVICES = """\
id,type,place,edge,connection,address,name,overrides
smoke-1,z2m-smoke,kitchen,east,z2m,kitchen/smoke,烟感,
temp-1,xy-md02,hall,east,rs485-1,17,,too-warm.critical=71
own-1,own,kitchen,east,rs485-1,18,,
door-1,own-door,hall,east,z2m,hall/door,,
"""
EDGE = """\
id: east
place: kitchen
connections:
  - {id: z2m, driver: zigbee2mqtt, settings: {topic: zigbee2mqtt/east}}
  - {id: rs485-1, driver: modbus-rtu, settings: {port: /dev/ttyUSB0, poll: 5}}
"""
TYPES = """\
- id: own
  device_class: environment
  label: {zh: 自有, en: Own}
  points:
    - {name: temperature, source: t, unit: Cel, native_unit: "[degF]", minimum: -40, maximum: 85, lane: alarm}
    - {name: mode, kind: state, states: {"0": "off", "1": heat}}
    - {name: open, kind: binary, device_class: door, lane: alarm}
  interval: 60
  silent_after: 300
  modbus:
    address_base: 1
    timeout: 0.5
    registers:
      - {point: t, table: input, address: 1, type: s16, scale: 0.1}
      - {point: mode, table: holding, address: 2, type: u32, word_order: little, words: {1: "1", 0: "0"}}
      - {point: open, table: coil, address: 5}
- id: own-door
  device_class: door
  points:
    - {name: open, kind: binary, device_class: door, true_when: [ON, 1, true], lane: alarm}
    - {name: seen, kind: event, lane: alarm}
    - {name: noise, unit: dB}
"""
RULES = """\
rules:
  - id: too-warm
    version: 2
    label: {zh: 过热, en: Too warm}
    match: {device_type: environment, grid: {starts_with: "R"}}
    levels:
      - {severity: critical, when: {point: temperature, op: ">", value: 70}, clear: {op: "<", value: 65}}
      - severity: medium
        when:
          any: [{point: temperature, op: ">", value: 60}, {not: {point: temperature, op: "<", value: 90}}]
        for: 30s
    max_gap: 90s
    keep_for: 1m
    flap: {transitions: 4, window: 10m}
    no_data: {after: 5m, severity: high}
    case: {category: fire, merge_by: [building], window: 30m, priority: P1}
  - id: held
    when: {point: open, value: true}
    for: 3m
    schedule: {tz: Asia/Shanghai, days: [mon-sun], from: "22:00", to: "06:00", on_open: evaluate_last}
inhibits:
  - {source: {rule: held}, target: {kind: no_data}, equal: [building]}
"""

FILES = {
    "site.yaml": SITE,
    "grids.csv": GRIDS,
    "places.csv": PLACES,
    "people.csv": PEOPLE,
    "units.yaml": UNITS,
    "calendars.yaml": CALENDARS,
    "categories.yaml": CATEGORIES,
    "devices.csv": DEVICES,
    "edges/east.yaml": EDGE,
    "types/own.yaml": TYPES,
    "rules/own.yaml": RULES,
}

_PROBLEMS_SHOWN = 2_000
_shipped = cache(shipped_types)


@cache
def _folder(process: int) -> Path:
    """A sound site for this process to change, gone when it ends."""
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-site-{process}-", dir=in_memory()))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def in_memory() -> Path | None:
    shared = Path("/dev/shm")
    return shared if shared.is_dir() else None


def load(name: str, data: bytes) -> Configuration:
    """What the site is with `data` as its file `name`; asserts that every problem can be shown."""
    import os

    folder = _folder(os.getpid())
    (folder / name).write_bytes(data)
    try:
        # The shipped types are files of ours: read once, not for every input.
        with patch.object(registry.types_folder, "shipped_types", _shipped):
            found = load_configuration(folder, DRIVERS)
    finally:
        (folder / name).write_text(FILES[name], encoding="utf-8")
    lines = data.count(b"\n") + data.count(b"\r") + 2
    for problem in found.problems[:_PROBLEMS_SHOWN]:
        assert 1 <= problem.line <= max(lines, 100)
        assert len(problem.value) <= 60
        assert str(problem).encode()
        for language in LANGUAGES:
            assert translator(language)(problem.message)
    return found


def check(name: str, data: bytes) -> None:
    """The property of this module for one file."""
    found = load(name, data)
    if found.sound:
        assert found.site is not None
        works(found.site, found.rules)


def works(site: Site, rules: list[Rule]) -> None:
    """A site that was found sound does what a gateway and an edge ask of it."""
    for calendar in site.calendars.values():
        hours = Hours(calendar, site.zone)
        hours.is_open(NOW)
        hours.next_change(NOW)
    for category in site.categories.values():
        hours_of = Hours(site.calendars[category.calendar], site.zone) if category.calendar else None
        spans = [category.accept_within, category.handle_within, *(m.within for m in category.milestones)]
        for span in spans:
            try:
                due = after(NOW, span, hours_of)
            except NeverOpen:
                continue
            assert NOW <= due < 2**63
    for kind in site.types.values():
        if kind.modbus is not None:
            plan(kind.modbus)
    json.dumps([limit.model_dump() for rule in rules for limit in limits_of(rule)], allow_nan=False)
    for language in LANGUAGES:
        for rule in rules:
            assert explain(rule, language)
    engine = Engine(compile_rules(rules, site), EngineState())
    for device in site.devices.values():
        for point in site.type_of(device).points[:8]:
            for value in (True, 75.0, float("nan"), "ON"):
                engine.feed([Reading(device.id, point.name, value, NOW, NOW, NOW)], NOW, replayed=False)
    engine.tick(NOW + 10**12)
    conserved(SampleBatch("east", Lane.ALARM, 1, (sample("own", "t", 1e308),)))


YAML_WORDS = (
    b"&a", b"*a", b"<<: *a", b"- ", b": ", b"? ", b"[", b"]", b"{", b"}", b"!!int ", b"!!binary ",
    b"!!python/object:os.system ", b"~", b"null", b".inf", b"-.inf", b".nan", b"1e400", b"0x", b"0o7",
    b"9" * 30, b"-1", b"0", b"true", b'"\\0"', b"|\n", b"---\n", b"...\n", b"%YAML 1.1\n", b"\t",
    b"\xef\xbb\xbf", b"\xff\xfe", b"\xc2\x85", b"999999999999d", b"0s", b"1d 4h", b"24:00", b"mon-fri",
    b"2026-02-30", b"{}", b"[]", b"id: ", b"''",
)  # fmt: skip
_CSV_WORDS = (
    b",", b";", b"\t", b'"', b'""', b"\n", b"\r", b"\r\n", b"\x00", b"#", b"=", b"\xff", b"\xb1\xe0\xba\xc5",
    "编号".encode(), b"name_zh", b"_zh", b"id", b"nan", b"inf", b"1e999", b"9" * 30, b"-1", b"\xe2\x80\xa8",
)  # fmt: skip

_ALIASES = b"a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + b"".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n".encode() for n in range(1, 10)
)
HOSTILE_YAML = (
    _ALIASES,
    b"[" * 50_000 + b"]" * 50_000,
    b"{a: " * 50_000 + b"}" * 50_000,
    b"- " * 50_000 + b"x\n",
    b"? " * 50_000 + b"x\n",
    b"a: 0x" + b"f" * 100_000 + b"\n",
    b"a: " + b"9" * 1_000_000 + b"\n",
    b"id: " + b"x" * 5_000_000 + b"\n",
)
LONG_YAML = (
    b"".join(b"k%d: 1\n" % n for n in range(10_000)),
    b"".join(b"- {id: a}\n" for _ in range(10_000)),
    b"".join(b"- %d\n" % n for n in range(10_000)),
)
_LONG_CSV = (
    b"id" + b",c" * 1_000_000 + b"\n",
    b"id," + b",".join(b"column%d" % n for n in range(200_000)) + b"\n",
    b"id,name\n" + b"a" + b"," * 1_000_000 + b"\n",
    b"id,name\n" + b"a,b,c,d\n" * 10_000,
    b"id,type,place,edge,connection,address\n" + b"a,z2m-smoke,kitchen,east,z2m,x\n" * 10_000,
    b'id,"' + b"x" * 5_000_000,
    b"\n" * 1_000_000,
)
_LONG = {
    "site.yaml": HOSTILE_YAML,
    "types/own.yaml": LONG_YAML,
    "rules/own.yaml": LONG_YAML,
    "devices.csv": _LONG_CSV,
    "grids.csv": _LONG_CSV[:3],
}


def _target(name: str) -> Target:
    table = name.endswith(".csv")
    return Target(
        f"site-{Path(name).parent if '/' in name else Path(name).stem}",
        partial(check, name),
        (FILES[name].encode(),),
        _CSV_WORDS if table else YAML_WORDS,
        runs=40,
        hostile=_LONG.get(name, ()),
    )


TARGETS = tuple(map(_target, FILES))
