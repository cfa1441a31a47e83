"""Where figures come from: tables of InfluxDB and the conditions that a dashboard's variables put on them.

Names are always complete, ``"database"."policy"."measurement"``: that is the one form that 1.x, 2.x (with
DBRP mappings) and 3 understand alike. ``$policy`` is a hidden variable that follows the span of time:
readings, or their roll-ups of a minute or an hour; `stat` picks the roll-up's extreme and changes nothing
for readings as they came.
"""

from dataclasses import dataclass
from typing import Final

from readings.measurements import HIGHEST, LOWEST, RECORDS, STAT

RECENT: Final = "time > now() - 10m"
"""Gauges are told every half a minute: what is older says nothing about now."""
TIME: Final = "$timeFilter"
EACH: Final = "time($__interval)"
GRIDS_TO_2: Final = '"grid1" =~ /^$grid1$/ AND "grid2" =~ /^$grid2$/'
GRIDS: Final = f'{GRIDS_TO_2} AND "grid3" =~ /^$grid3$/'
"""The three grid variables, of which "all" is any."""
BUILDINGS: Final = '"building" =~ /^$building$/'
DEVICES: Final = '"device" =~ /^$device$/'

_STATS: Final = {"min": LOWEST, "max": HIGHEST}


@dataclass(frozen=True)
class Tables:
    """The tables of one database."""

    database: str

    def records(self, measurement: str) -> str:
        """Alarms, cases, the directory."""
        return f"{_quoted(self.database)}.{_quoted(RECORDS)}.{_quoted(measurement)}"

    def raw(self, measurement: str) -> str:
        """Readings as they came, and gauges: whatever the database's usual policy is called."""
        return f"{_quoted(self.database)}..{_quoted(measurement)}"

    def rolled(self, measurement: str) -> str:
        """Readings in the resolution that suits the span of time; only with `stat`."""
        return f'{_quoted(self.database)}."$policy".{_quoted(measurement)}'


def stat(name: str) -> str:
    """The condition that takes min or max of roll-ups, and every reading as it came."""
    return f'"{STAT}" =~ /^({_STATS[name]})?$/'


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
