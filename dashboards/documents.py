"""Dashboards as JSON, and what else Grafana needs: the data source, the folders."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards.boards import BOARDS, build
from dashboards.context import SHORT, Context
from dashboards.query import TYPE
from language import N_

_FOLDER: Final = N_("GridWarden safety platform")
_SECONDS: Final = "30"
"""The longest that Grafana waits for an answer."""


@dataclass(frozen=True)
class Influx:
    """The InfluxDB that Grafana asks, as a user that may only read."""

    url: str = "http://127.0.0.1:8086"
    user: str = "grafana"
    password_file: str = ""
    """Where Grafana finds the password (on its machine)."""


@dataclass(frozen=True)
class Folder:
    """A folder of Grafana with the dashboards of one language."""

    uid: str
    title: str
    dashboards: tuple[dict[str, Any], ...] = ()


def folders(contexts: Iterable[Context]) -> Iterator[Folder]:
    """One folder per language; the site's first language has the plain name."""
    for number, context in enumerate(contexts):
        short = SHORT[context.language]
        title = context.say(_FOLDER) + (f" ({short})" if number else "")
        yield Folder(f"gridwarden-{short}", title, tuple(document(name, context) for name in BOARDS))


def document(name: str, context: Context) -> dict[str, Any]:
    """A dashboard as Grafana keeps it."""
    made = plain(build(name, context))
    made.pop("id", None)  # Grafana's own number, another in every Grafana
    return made


def plain(made: object) -> dict[str, Any]:
    """Something of the SDK's as JSON."""
    told: dict[str, Any] = json.loads(json.dumps(made, cls=JSONEncoder))
    return told


def data_source(context: Context, influx: Influx) -> dict[str, Any]:
    """The data source as Grafana's API takes it, without its password."""
    return {
        "uid": context.source.uid,
        "name": "GridWarden",
        "type": TYPE,
        "access": "proxy",
        "url": influx.url,
        "user": influx.user,
        "basicAuth": False,
        "isDefault": False,
        "editable": False,
        "jsonData": {
            "dbName": context.source.database,
            "httpMode": "GET",
            "version": "InfluxQL",
            "timeInterval": "10s",
            "timeout": int(_SECONDS),
        },
    }
