"""Smoke, temperature and gas by building and floor, and whether the detectors are fit."""

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Panel

from dashboards import panels, variables
from dashboards.boards.frame import filled, frame
from dashboards.boards.lists import open_alarms
from dashboards.context import Context
from dashboards.tables import BUILDINGS, EACH, GRIDS, TIME, stat
from language import N_
from readings.measurements import ALARM

CLASSES = ("smoke", "gas", "environment")
_OF_FIRE = "(" + " OR ".join(f"\"class\" = '{name}'" for name in CLASSES) + ")"
_HERE = f"{GRIDS} AND {BUILDINGS}"
_WEAK_BATTERY = 20


def board(context: Context) -> Dashboard:
    """The board."""
    tables, query = context.tables, context.query
    alarm = tables.records(ALARM)
    chosen = [*variables.grids(context), variables.building(context), variables.policy(context)]
    shown: list[Builder[Panel]] = []
    made = frame(context, "fire", chosen)

    def now(title: str, condition: str, color: str, about: str) -> None:
        asked = query(f'SELECT sum("standing") FROM {alarm} WHERE {condition} AND {_OF_FIRE} AND {_HERE}')
        shown.append(panels.figure(context, title, asked, steps=((1, color),), height=9, about=about))

    now(
        N_("Fire and gas alarms now"),
        '"condition" !~ /^prealarm$/ AND "no_data" = 0',
        "dark-red",
        N_("Alarms of smoke, gas and temperature that are not over."),
    )
    now(
        N_("Pre-alarms now"),
        "\"condition\" = 'prealarm'",
        "orange",
        N_("One detector has spoken, and a second one has not confirmed it."),
    )
    now(
        N_("Detectors not heard"),
        '"no_data" = 1',
        "orange",
        N_("Silence of detectors that was raised as an alarm."),
    )
    shown.append(open_alarms(context, f"{_OF_FIRE} AND {BUILDINGS}"))

    def by_building(measurement: str, point: str, title: str, unit: str, by: str = '"building"') -> None:
        asked = query(
            f'SELECT max("{point}") FROM {tables.rolled(measurement)}'
            f" WHERE {TIME} AND {stat('max')} AND {_HERE} GROUP BY {EACH}, {by} fill(none)",
            alias="$tag_building" if by == '"building"' else "$tag_building $tag_floor",
        )
        limits = context.limits.get((measurement, point), ())
        shown.append(
            panels.curves(
                context,
                title,
                [asked],
                unit=unit,
                limits=limits,
                about=N_("The largest value of each interval, so that no peak disappears."),
            )
        )

    by_building("environment", "temperature", N_("Temperature by building"), "celsius")
    by_building("gas", "gas_level", N_("Gas by building and floor"), "percent", '"building", "floor"')
    by_building(
        "gas", "carbon_monoxide", N_("Carbon monoxide by building and floor"), "ppm", '"building", "floor"'
    )
    raised = [
        query(
            f'SELECT count("id") FROM {alarm} WHERE {TIME} AND "class" = \'{name}\' AND "no_data" = 0'
            f" AND {_HERE} GROUP BY {EACH} fill(0)",
            alias=context.say(word),
        )
        for name, word in (
            ("smoke", N_("smoke")),
            ("gas", N_("gas")),
            ("environment", N_("temperature")),
        )
    ]
    shown.append(panels.curves(context, N_("Fire and gas alarms raised"), raised, bars=True))
    began = query(
        f'SELECT count("id") FROM {alarm} WHERE {TIME} AND "prealarm" = 1 AND {_OF_FIRE} AND {_HERE}'
        f" GROUP BY {EACH} fill(0)",
        alias=context.say(N_("pre-alarms")),
    )
    shown.append(
        panels.curves(
            context,
            N_("Pre-alarms"),
            [began],
            bars=True,
            about=N_("Alarms that began with one detector, whether or not a second one confirmed it later."),
        )
    )
    shown.append(
        panels.bars(
            context,
            N_("Fire and gas alarms by building"),
            [
                query(
                    f'SELECT count("id") FROM {alarm} WHERE {TIME} AND {_OF_FIRE} AND "no_data" = 0'
                    f' AND {_HERE} GROUP BY "building"',
                    alias="$tag_building",
                )
            ],
        )
    )
    everywhere = ", ".join(tables.rolled(name) for name in CLASSES)
    weak = query(
        f'SELECT min("battery") AS "battery" FROM {everywhere}'
        f' WHERE {TIME} AND {stat("min")} AND {_HERE} GROUP BY "device", "place"',
        form="table",
    )
    shown.append(
        panels.rows(
            context,
            N_("Batteries of detectors"),
            [weak],
            {"device": N_("Device"), "place": N_("Place"), "battery": N_("Battery")},
            hidden=("Time",),
            units={"battery": "percent"},
            links={"device": panels.device_link(context)},
            about=N_("The lowest charge in this time, of smoke, gas and temperature detectors."),
        )
    )
    faults = query(
        f'SELECT count("fault") AS "fault" FROM {tables.raw("smoke")}, {tables.raw("gas")}'
        f' WHERE {TIME} AND "fault" = true AND {_HERE} GROUP BY "device"',
        form="table",
    )
    tampered = query(
        f'SELECT count("tamper") AS "tamper" FROM {tables.raw("smoke")}'
        f' WHERE {TIME} AND "tamper" = true AND {_HERE} GROUP BY "device"',
        form="table",
    )
    shown.append(
        panels.rows(
            context,
            N_("Faults and tampering"),
            [faults, tampered],
            {"device": N_("Device"), "fault": N_("Fault reported"), "tamper": N_("Tampering reported")},
            hidden=("Time",),
            transformations=(panels.merged(),),
            none=N_("None in this time."),
            about=N_("How many readings said so."),
        )
    )
    return filled(made, shown)
