"""The platform itself: is it whole, does it keep up, do the books balance, how are the edges."""

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Panel

from dashboards import panels
from dashboards.boards.frame import filled, frame
from dashboards.boards.lists import edges_not_heard
from dashboards.context import Context
from dashboards.tables import EACH, RECENT, TIME
from language import N_


def board(context: Context) -> Dashboard:
    """The board."""
    tables, query = context.tables, context.query
    shown: list[Builder[Panel]] = []
    made = frame(context, "gateway", (), since="now-6h", refresh="30s", marks=False)

    def gauge(name: str) -> str:
        return tables.raw(f"gridwarden_{name}")

    def last(name: str, condition: str = "") -> str:
        return f'SELECT last("value") FROM {gauge(name)} WHERE {RECENT}{condition}'

    shown.append(
        panels.figure(
            context,
            N_("Parts that do not work"),
            query(
                f'SELECT count("up") FROM (SELECT last("value") AS "up" FROM {gauge("part_up")}'
                f' WHERE {RECENT} GROUP BY "part") WHERE "up" = 0'
            ),
        )
    )
    shown.append(
        panels.figure(
            context,
            N_("Books"),
            query(last("books_balanced")),
            calm="red",
            none="?",
            words={"1": (N_("balanced"), "green"), "0": (N_("not balanced"), "red")},
            about=N_("Whether every sample taken is in exactly one place. See gridwarden audit."),
        )
    )
    shown.append(
        panels.figure(
            context,
            N_("In quarantine"),
            query(last("quarantine_entries")),
            steps=((1, "yellow"), (1000, "orange")),
        )
    )
    lost = query(last("books_samples", " AND \"account\" = 'lost'"))
    shown.append(panels.figure(context, N_("Samples lost"), lost))
    waiting = query(
        f'SELECT sum("n") FROM (SELECT last("value") AS "n" FROM {gauge("queue_batches")}'
        f' WHERE {RECENT} AND "which" = \'waiting\' GROUP BY "queue", "lane")'
    )
    shown.append(
        panels.figure(
            context, N_("Batches waiting"), waiting, steps=((100, "yellow"), (10_000, "orange")), none="?"
        )
    )
    shown.append(edges_not_heard(context))

    def over_time(title: str, what: str, name: str, by: tuple[str, ...], unit: str = "short") -> None:
        tags = ", ".join(f'"{tag}"' for tag in by)
        asked = query(
            f"SELECT {what} FROM {gauge(name)} WHERE {TIME} GROUP BY {EACH}, {tags} fill(none)",
            alias=" ".join(f"$tag_{tag}" for tag in by),
        )
        shown.append(panels.curves(context, title, [asked], unit=unit, low=0))

    rate = 'non_negative_derivative(max("value"), 1s)'
    over_time(N_("Readings a second, by stage"), rate, "readings_total", ("stage", "lane"))
    over_time(N_("Batches waiting, by reader"), 'max("value")', "queue_batches", ("queue", "lane", "which"))
    over_time(N_("Batches in the outboxes of edges"), 'max("value")', "edge_waiting_batches", ("edge",))
    over_time(N_("Memory"), 'max("value")', "memory_bytes", ("process",), "bytes")
    over_time(N_("Where samples are, by the books"), 'max("value")', "books_samples", ("account",))
    shown.append(
        panels.states(
            context,
            N_("Parts of the gateway"),
            query(
                f'SELECT min("value") FROM {gauge("part_up")} WHERE {TIME}'
                f' GROUP BY {EACH}, "part" fill(none)',
                alias="$tag_part",
            ),
            {"1": (N_("works"), "green"), "0": (N_("does not work"), "red")},
        )
    )

    def of_edges(title: str, what: str, unit: str) -> None:
        asked = query(
            f'SELECT {what} FROM {tables.raw("edge")} WHERE {TIME} GROUP BY {EACH}, "edge" fill(none)',
            alias="$tag_edge",
        )
        shown.append(panels.curves(context, title, [asked], unit=unit))

    of_edges(N_("Edges: oldest sample waiting"), 'max("oldest_waiting_s")', "s")
    of_edges(N_("Edges: clock offset"), 'mean("clock_offset_s")', "s")
    of_edges(N_("Edges: processor temperature"), 'max("cpu_temperature")', "celsius")
    of_edges(N_("Edges: free disk"), 'min("disk_free")', "bytes")
    return filled(made, shown)
