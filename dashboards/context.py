"""What every board needs to know: language, tables, data source, where the console is, limits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from grafana_foundation_sdk.models.dashboard import DataSourceRef

from dashboards.query import TYPE, Form, InfluxQuery
from dashboards.tables import Tables
from language import Message, Translator, translator

SHORT: Final = {"zh-CN": "zh", "en": "en"}
"""A language as it stands in fields' names and uids."""


@dataclass(frozen=True)
class Limit:
    """From `value` on (or below it) something is `severity`: critical, high, medium or low."""

    value: float
    severity: str


@dataclass(frozen=True)
class Source:
    """The data source that dashboards ask, and the name of its database."""

    uid: str = "gridwarden-influxdb"
    database: str = "gridwarden"


@dataclass(frozen=True)
class Context:
    """One language of the dashboards of one site."""

    language: str
    source: Source = Source()
    console: str = ""
    """Address of the console, e.g. ``https://gridwarden.example``; empty: no links to it."""
    limits: Mapping[tuple[str, str], tuple[Limit, ...]] = field(default_factory=dict)
    """The thresholds of the site's rules by device class and point, in ascending order."""
    timezone: str = "browser"

    @property
    def short(self) -> str:
        """``zh`` or ``en``."""
        return SHORT[self.language]

    @property
    def tables(self) -> Tables:
        """The database's tables."""
        return Tables(self.source.database)

    @property
    def datasource(self) -> DataSourceRef:
        """The data source as panels name it."""
        return DataSourceRef(type_val=TYPE, uid=self.source.uid)

    def say(self, template: str, **values: object) -> str:
        """`template` in this language."""
        return self._translator(Message(template, values))

    def name(self, field_name: str) -> str:
        """The field that has a name in this language: ``where`` → ``where_zh``."""
        return f"{field_name}_{self.short}"

    def query(self, text: str, *, form: Form = "time_series", alias: str = "") -> InfluxQuery:
        """A question to the data source."""
        return InfluxQuery(text, self.datasource, form=form, alias=alias)

    def uid(self, board: str) -> str:
        """The dashboard's uid: the same at every rendering."""
        return f"gridwarden-{board}-{self.short}"

    @property
    def _translator(self) -> Translator:
        return translator(self.language)
