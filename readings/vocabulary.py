"""Canonical words: device classes, and the points that the edge's own messages use.

Device classes and their polarity follow Home Assistant's binary-sensor classes: a binary point is
``True`` when *abnormal or open*, except connectivity, power and running, whose ``True`` is the healthy
side; those are states, not alarms.
"""

from enum import StrEnum
from typing import Final


class DeviceClass(StrEnum):
    """What a binary point means; ``True`` is the abnormal or open side. Only `TIMESTAMP` is a number's."""

    SMOKE = "smoke"
    GAS = "gas"
    CARBON_MONOXIDE = "carbon_monoxide"
    HEAT = "heat"
    MOISTURE = "moisture"
    DOOR = "door"
    WINDOW = "window"
    OPENING = "opening"
    LOCK = "lock"
    MOTION = "motion"
    OCCUPANCY = "occupancy"
    PRESENCE = "presence"
    PROBLEM = "problem"
    SAFETY = "safety"
    SOUND = "sound"
    TAMPER = "tamper"
    VIBRATION = "vibration"
    BATTERY = "battery"
    CONNECTIVITY = "connectivity"
    POWER = "power"
    RUNNING = "running"
    TIMESTAMP = "timestamp"
    """A moment, as seconds since 1970-01-01 UTC."""


EDGE_CONNECTION: Final = "edge"
"""The connection name under which an edge agent reports its own health (``edge/self``)."""

MALFORMED: Final = "!malformed"
"""The point of a dead letter: bytes that a driver could not understand.

Such a sample's value is the first 4,096 of the raw bytes as base64, its `event` the reason. It is taken
and counted like any other and ends in the gateway's quarantine.
"""
