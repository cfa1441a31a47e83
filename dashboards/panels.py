"""The kinds of panel that boards are made of, each with what makes it readable on a wall and on a phone.

Widths are in Grafana's 24 columns; on a phone Grafana puts panels below each other in the same order, so
the most important come first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from string import ascii_uppercase
from typing import Final, Protocol, Self, TypeVar

from grafana_foundation_sdk.builders import bargauge, stat, statetimeline, statushistory, table, timeseries
from grafana_foundation_sdk.builders.common import (
    GraphThresholdsStyleConfig,
    ReduceDataOptions,
    StackingConfig,
    TableSortByFieldState,
    VizLegendOptions,
    VizTextDisplayOptions,
    VizTooltipOptions,
)
from grafana_foundation_sdk.builders.dashboard import DashboardLink, ThresholdsConfig
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    GraphDrawStyle,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)

from dashboards.context import Context, Limit
from dashboards.query import InfluxQuery, Target
from language import N_


class _Panel(Protocol):
    """What all of the SDK's panels can; they have no class in common that says so."""

    def title(self, title: str) -> Self: ...

    def description(self, description: str) -> Self: ...

    def datasource(self, datasource: DataSourceRef) -> Self: ...

    def span(self, w: int) -> Self: ...

    def height(self, h: int) -> Self: ...

    def with_target(self, target: Builder[Dataquery]) -> Self: ...


_Kind = TypeVar("_Kind", bound=_Panel)

SEVERITY_COLORS: Final = {"critical": "dark-red", "high": "red", "medium": "orange", "low": "yellow"}
SEVERITY_WORDS: Final = {
    "critical": N_("critical"),
    "high": N_("high"),
    "medium": N_("medium"),
    "low": N_("low"),
}
_WALL: Final = 60
"""Size of a wall figure's digits, legible from 5 m on a screen of 40 inches."""
_WORDS: Final = 34
"""Size of a word in a figure's place."""
_BAR: Final = "15m"
"""The least that a bar stands for: over a day, bars of two minutes are a hair wide."""


def figure(
    context: Context,
    title: str,
    query: InfluxQuery,
    *,
    steps: Sequence[tuple[float, str]] = ((1, "red"),),
    calm: str = "green",
    unit: str = "short",
    width: int = 4,
    height: int = 5,
    none: str = "0",
    decimals: int = 0,
    words: Mapping[str, tuple[str, str]] | None = None,
    about: str = "",
) -> stat.Panel:
    """One number, its whole tile coloured: `calm` below the first of the `steps` (from value, colour).

    `words` are what a number means and its colour, where a number says nothing to people.
    """
    return (
        _plain(stat.Panel(), context, title, about, width, height, [query])
        .unit(unit)
        .decimals(decimals)
        .no_value(none)
        .mappings([_colored(context, words)] if words else [])
        .thresholds(_thresholds(calm, steps))
        .color_mode(BigValueColorMode.BACKGROUND_SOLID)
        .graph_mode(BigValueGraphMode.NONE)
        .text_mode(BigValueTextMode.VALUE)
        .text(VizTextDisplayOptions().value_size(_WORDS if words else _WALL))
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    )


def curves(
    context: Context,
    title: str,
    queries: Sequence[InfluxQuery],
    *,
    unit: str = "short",
    width: int = 12,
    height: int = 9,
    limits: Sequence[Limit] = (),
    bars: bool = False,
    colors: Mapping[str, str] | None = None,
    about: str = "",
    low: float | None = None,
) -> timeseries.Panel:
    """Values over time; `limits` are drawn as lines, `bars` are stacked counts."""
    panel = (
        _plain(timeseries.Panel(), context, title, about, width, height, queries)
        .unit(unit)
        .legend(
            VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
        .show_points(VisibilityMode.AUTO)
        .line_width(2)
    )
    if low is not None:
        panel = panel.min(low)
    if bars:
        panel = (
            panel.interval(_BAR)
            .draw_style(GraphDrawStyle.BARS)
            .fill_opacity(80)
            .stacking(StackingConfig().mode(StackingMode.NORMAL))
            .min(0)
        )
    else:
        panel = panel.span_nulls(3_600_000)
    if limits:
        steps = [(limit.value, SEVERITY_COLORS[limit.severity]) for limit in limits]
        panel = panel.thresholds(_thresholds("transparent", steps)).thresholds_style(
            GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED)
        )
    for name, color in (colors or {}).items():
        panel = panel.override_by_name(name, [_property("color", {"mode": "fixed", "fixedColor": color})])
    return panel


def rows(
    context: Context,
    title: str,
    queries: Sequence[InfluxQuery],
    columns: Mapping[str, str],
    *,
    width: int = 12,
    height: int = 9,
    hidden: Sequence[str] = (),
    links: Mapping[str, tuple[str, str]] | None = None,
    units: Mapping[str, str] | None = None,
    words: Mapping[str, Mapping[str, str]] | None = None,
    transformations: Sequence[DataTransformerConfig] = (),
    none: str = "",
    about: str = "",
    most: str = "",
) -> table.Panel:
    """A table. `columns` are fields and what they are called, in order; `hidden` ones serve links only.

    `links` are a title and an address by column, `words` what a column's values mean; rows with the most in
    the column `most` come first.
    """
    panel = (
        _plain(table.Panel(), context, title, about, width, height, queries)
        .filterable(True)
        .no_value(context.say(none) if none else "")
    )
    if most:
        first = TableSortByFieldState().display_name(context.say(columns[most])).desc(True)
        panel = panel.sort_by([first])
    for transformation in transformations:
        panel = panel.with_transformation(transformation)
    order = {name: place for place, name in enumerate([*columns, *hidden])}
    organize = {
        "indexByName": order,
        "renameByName": {name: context.say(word) for name, word in columns.items()},
        "excludeByName": {},
        "includeByName": {},
    }
    panel = panel.with_transformation(DataTransformerConfig(id_val="organize", options=organize))
    for name in hidden:
        panel = panel.override_by_name(name, [_property("custom.hidden", value=True)])
    for name, word in columns.items():
        properties: list[DynamicConfigValue] = []
        if links and name in links and links[name][1]:
            link_title, address = links[name]
            link = {"title": context.say(link_title), "url": address, "targetBlank": True}
            properties.append(_property("links", [link]))
        if units and name in units:
            properties.append(_property("unit", units[name]))
        if words and name in words:
            properties += [
                _property("mappings", [_meaning(context, words[name])]),
                _property("custom.cellOptions", {"type": "color-background", "mode": "basic"}),
            ]
        if properties:
            panel = panel.override_by_name(context.say(word), properties)
    return panel


def bars(
    context: Context,
    title: str,
    queries: Sequence[InfluxQuery],
    *,
    unit: str = "short",
    width: int = 12,
    height: int = 9,
    steps: Sequence[tuple[float, str]] = (),
    most: float | None = None,
    about: str = "",
) -> bargauge.Panel:
    """One bar per series, with its last value."""
    panel = (
        _plain(bargauge.Panel(), context, title, about, width, height, queries)
        .unit(unit)
        .min(0)
        .no_value("0")
        .orientation(VizOrientation.HORIZONTAL)
        .thresholds(_thresholds("blue", steps))
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    )
    if most is not None:
        panel = panel.max(most)
    return panel


def states(
    context: Context,
    title: str,
    query: InfluxQuery,
    meanings: Mapping[str, tuple[str, str]],
    *,
    width: int = 12,
    height: int = 9,
    about: str = "",
) -> statetimeline.Panel:
    """One row per series, coloured by its value; `meanings` are word and colour by value."""
    return (
        _plain(statetimeline.Panel(), context, title, about, width, height, [query])
        .show_value(VisibilityMode.NEVER)
        .merge_values(True)
        .row_height(0.8)
        .mappings([_colored(context, meanings)])
    )


def hours(
    context: Context,
    title: str,
    query: InfluxQuery,
    steps: Sequence[tuple[float, str]],
    *,
    width: int = 24,
    height: int = 10,
    about: str = "",
) -> statushistory.Panel:
    """A heat map: one row per series, one cell per interval, coloured by its value."""
    return (
        _plain(statushistory.Panel(), context, title, about, width, height, [query])
        .interval("1h")
        .show_value(VisibilityMode.AUTO)
        .thresholds(_thresholds("transparent", steps))
    )


def grouped(by: str, counted: str) -> DataTransformerConfig:
    """Grafana's "group by": how many rows have each value of the field `by`."""
    fields = {
        by: {"aggregations": [], "operation": "groupby"},
        counted: {"aggregations": ["count"], "operation": "aggregate"},
    }
    return DataTransformerConfig(id_val="groupBy", options={"fields": fields})


def merged() -> DataTransformerConfig:
    """Grafana's "merge": several tables of the same key as one."""
    return DataTransformerConfig(id_val="merge", options={})


def console_link(context: Context, path: str) -> str:
    """The address of a page of the console; empty when nobody said where the console is."""
    return f"{context.console.rstrip('/')}/{path}" if context.console else ""


def board_link(context: Context, board: str, title: str) -> DashboardLink:
    """A link at the top of a dashboard to another one, with the same variables and time."""
    return (
        DashboardLink(context.say(title))
        .type(DashboardLinkType.LINK)
        .url(f"/d/{context.uid(board)}")
        .icon("dashboard")
        .keep_time(True)
        .include_vars(True)
    )


def device_link(context: Context) -> tuple[str, str]:
    """Title and address for a column of devices: the board of the row's device."""
    return N_("Everything about this device"), f"/d/{context.uid('device')}?var-device=${{__value.raw}}"


def _plain(
    panel: _Kind,
    context: Context,
    title: str,
    about: str,
    width: int,
    height: int,
    queries: Sequence[InfluxQuery],
) -> _Kind:
    """`panel` with what every panel has. Grafana tells its queries apart by letters in their order."""
    made = panel.title(context.say(title)).description(context.say(about) if about else "")
    made = made.datasource(context.datasource).span(width).height(height)
    for place, query in enumerate(queries):
        made = made.with_target(Target(replace(query, ref_id=ascii_uppercase[place])))
    return made


def _thresholds(calm: str, steps: Sequence[tuple[float, str]]) -> ThresholdsConfig:
    made = [
        Threshold(value=None, color=calm),
        *(Threshold(value=value, color=color) for value, color in steps),
    ]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(made)


def _meaning(context: Context, words: Mapping[str, str]) -> dict[str, object]:
    colors = SEVERITY_COLORS
    return {
        "type": "value",
        "options": {
            value: {"text": context.say(word), "color": colors.get(value, "transparent"), "index": place}
            for place, (value, word) in enumerate(words.items())
        },
    }


def _colored(context: Context, meanings: Mapping[str, tuple[str, str]]) -> ValueMap:
    return ValueMap(
        options={
            value: ValueMappingResult(text=context.say(word), color=color, index=place)
            for place, (value, (word, color)) in enumerate(meanings.items())
        }
    )


def _property(name: str, value: object) -> DynamicConfigValue:
    return DynamicConfigValue(id_val=name, value=value)
