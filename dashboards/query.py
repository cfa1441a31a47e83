"""InfluxQL as a target of a panel.

Grafana's Foundation SDK has no type for InfluxDB's queries; this one is what Grafana itself stores for a
raw query (https://grafana.com/docs/grafana/latest/datasources/influxdb/query-editor/), registered so that
dashboards are read back as what they were written as.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal, Self

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.runtime import DataqueryConfig, register_dataquery_variant
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.dashboard import DataSourceRef

TYPE: Final = "influxdb"
Form = Literal["time_series", "table"]


@dataclass
class InfluxQuery(Dataquery):
    """One question. `alias` names its series: ``$tag_device`` is the tag's value."""

    query: str
    datasource: DataSourceRef
    ref_id: str = "A"
    form: Form = "time_series"
    alias: str = ""

    def to_json(self) -> dict[str, object]:
        """As Grafana keeps it."""
        told: dict[str, object] = {
            "refId": self.ref_id,
            "datasource": self.datasource.to_json(),
            "query": self.query,
            "rawQuery": True,
            "resultFormat": self.form,
        }
        return told | {"alias": self.alias} if self.alias else told

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The opposite of `to_json`."""
        return cls(
            data["query"],
            DataSourceRef.from_json(data["datasource"]),
            data["refId"],
            data["resultFormat"],
            data.get("alias", ""),
        )


class Target(Builder[InfluxQuery]):
    """What the SDK's panels want: something that builds a query."""

    def __init__(self, query: InfluxQuery) -> None:
        self._query = query

    def build(self) -> InfluxQuery:
        """The query."""
        return self._query


register_dataquery_variant(DataqueryConfig(TYPE, InfluxQuery.from_json))
