"""How long InfluxDB keeps what, and in which resolution.

A database has four retention policies (2.x: buckets, 3: databases; see `ingest.stores.influx_versions`):
readings as they came, their roll-ups of a minute and of an hour, and records (alarms, cases, the directory
of the site), of which there are few and which people want for years. A roll-up stands in the measurement
its readings are in, under the same field names, with one more tag: `STAT` says whether a point holds the
smallest value, the largest, the sum or the number of readings. So one query serves every policy:
``max(temperature) … WHERE stat =~ /^(max)?$/`` takes the maxima of a roll-up, and all readings where there
is no such tag.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from ingest.stores.line_protocol import line
from readings.measurements import HOUR, MINUTE, RAW, RECORDS, RESOLUTION

DAY_MS: Final = 86_400_000
_ENDLESS_MS: Final = 1 << 53
"""Longer than any span, and exact in a browser."""


class Policy(NamedTuple):
    """A retention policy: its name and how many days it keeps; 0: for ever."""

    name: str
    days: float


@dataclass(frozen=True)
class Retention:
    """The policies of a database. `raw` is the one that readings are written to: the database's default.

    Charts show readings up to a span of `spans[0]` days, the roll-ups of a minute up to `spans[1]`.
    """

    raw: Policy
    minute: Policy
    hour: Policy
    records: Policy
    spans: tuple[float, float] = (2.0, 60.0)

    @property
    def policies(self) -> tuple[Policy, ...]:
        """All of them, the default one first."""
        return (self.raw, self.minute, self.hour, self.records)

    @classmethod
    def of(
        cls, raw: float = 90, minute: float = 730, hour: float = 0, records: float = 0, *, raw_name: str = RAW
    ) -> "Retention":
        """The policies under their usual names, by days."""
        return cls(
            Policy(raw_name, raw), Policy(MINUTE, minute), Policy(HOUR, hour), Policy(RECORDS, records)
        )

    def resolution_lines(self) -> list[str]:
        """What a dashboard asks for the policy of its span of time, in ms: ``from < span <= to``."""
        raw, minute = (round(days * DAY_MS) for days in self.spans)
        spans = ((self.raw, -1, raw), (self.minute, raw, minute), (self.hour, minute, _ENDLESS_MS))
        return [
            line(RESOLUTION, {"of": of}, {"policy": policy.name, "from": after, "to": until}, 0)
            for of, (policy, after, until) in zip((RAW, MINUTE, HOUR), spans, strict=True)
        ]


DEFAULT: Final = Retention.of()
