"""Canonical words: device classes, detector states, access and camera events.

Device classes and their polarity follow Home Assistant's binary-sensor classes: a binary point is
``True`` when *abnormal or open*, except `GOOD_WHEN_TRUE`. Detector states follow GB/T 26875.3-2011.
"""

from enum import StrEnum
from typing import Final


class DeviceClass(StrEnum):
    """What a binary point means; ``True`` is the abnormal or open side."""

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


GOOD_WHEN_TRUE: Final = frozenset({DeviceClass.CONNECTIVITY, DeviceClass.POWER, DeviceClass.RUNNING})
"""The classes whose ``True`` is the healthy side; they are states, not alarms."""


class DetectorState(StrEnum):
    """The alarm state of a detector (GB/T 26875.3-2011, and what its bits leave unsaid)."""

    NORMAL = "normal"
    FIRE = "fire"
    PREALARM = "prealarm"
    FAULT = "fault"
    DISABLED = "disabled"
    SUPERVISORY = "supervisory"
    STARTED = "started"
    FEEDBACK = "feedback"
    DELAYED = "delayed"
    POWER_FAULT = "power_fault"
    TEST = "test"
    MUTED = "muted"
    UNKNOWN = "unknown"


class AccessEvent(StrEnum):
    """What happened at a door reader."""

    CARD_READ = "card_read"
    KEYPAD = "keypad"
    GRANTED = "granted"
    DENIED = "denied"
    FORCED_OPEN = "forced_open"
    HELD_OPEN = "held_open"
    TAMPER = "tamper"
    EXIT_BUTTON = "exit_button"


EDGE_CONNECTION: Final = "edge"
"""The connection name under which an edge agent reports its own health (``edge/self``)."""

MALFORMED: Final = "!malformed"
"""The point of a dead letter: bytes that a driver could not understand.

Such a sample's value is the first 4,096 of the raw bytes as base64, its `event` the reason. It is taken
and counted like any other and ends in the gateway's quarantine.
"""
