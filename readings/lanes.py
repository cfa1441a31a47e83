"""The two lanes. Alarms overtake: a backlog of telemetry never delays them."""

from enum import StrEnum


class Lane(StrEnum):
    """Which of the two independent ways a point travels from the edge to the store and the rules.

    Each lane has its own order in the outbox, its own stream and its own consumers. A point belongs
    to exactly one lane, by its device type.
    """

    ALARM = "alarm"
    TELEMETRY = "telemetry"
