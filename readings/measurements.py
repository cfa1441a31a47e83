"""The names that InfluxDB's writers and its readers share, besides device classes (docs/influxdb.md)."""

from typing import Final

RAW: Final = "raw"
MINUTE: Final = "minute"
HOUR: Final = "hour"
RECORDS: Final = "records"
"""Retention policies: readings as they came, their roll-ups, and what is kept about people's work."""

STAT: Final = "stat"
"""The tag of roll-ups: which of the following a point holds."""
LOWEST: Final = "min"
HIGHEST: Final = "max"
SUM: Final = "sum"
COUNT: Final = "count"

RESOLUTION: Final = "resolution"
"""Which policy suits a span of time (in `RECORDS`)."""
ALARM: Final = "alarm"
CASE: Final = "case"
DEVICE: Final = "device"
GRID: Final = "grid"
"""One point per alarm, case, device and grid (in `RECORDS`)."""
CHRONICLE: Final = "chronicle"
"""How far alarms and cases have been written (in `RECORDS`)."""
GRID_STATE: Final = "grid_state"
"""What is open in a grid, over time."""
