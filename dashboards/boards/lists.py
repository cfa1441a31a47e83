"""What several boards have: open alarms, open cases, edges that are not heard."""

from grafana_foundation_sdk.builders import stat, table

from dashboards import panels
from dashboards.context import Context
from dashboards.panels import SEVERITY_WORDS
from dashboards.tables import GRIDS, RECENT
from language import N_
from readings.measurements import ALARM, CASE

_MOST = 100
STATES = {
    "reported": N_("reported"),
    "self_handling": N_("handled by the grid"),
    "filed": N_("filed"),
    "dispatched": N_("dispatched"),
    "returned": N_("returned"),
    "joint": N_("several teams"),
    "in_progress": N_("in progress"),
    "feedback": N_("feedback given"),
    "deferred": N_("deferred"),
    "verify": N_("being verified"),
    "closed_pending_callback": N_("waiting for the call-back"),
    "closed": N_("closed"),
    "reopened": N_("reopened"),
}


def open_alarms(
    context: Context, where: str = "", *, width: int = 12, history: bool = False, only: str = GRIDS
) -> table.Panel:
    """The alarms that are in the list now (or with `history` those of the time), newest first."""
    chosen = "$timeFilter" if history else '"open" = 1'
    more = f" AND {where}" if where else ""
    columns = {
        "Time": N_("Raised"),
        "severity": N_("Severity"),
        context.name("rule"): N_("What"),
        context.name("where"): N_("Where"),
        "acknowledged": N_("Seen"),
        "case": N_("Case"),
    }
    fields = ", ".join(f'"{name}"' for name in columns if name != "Time")
    return panels.rows(
        context,
        N_("Alarms in this time") if history else N_("Open alarms"),
        [
            context.query(
                f'SELECT {fields}, "id" FROM {context.tables.records(ALARM)}'
                f" WHERE {chosen} AND {only}{more} ORDER BY time DESC LIMIT {_MOST}",
                form="table",
            )
        ],
        columns,
        width=width,
        hidden=("id",),
        words={"severity": SEVERITY_WORDS, "acknowledged": {"1": N_("yes"), "0": N_("no")}},
        links={
            context.name("rule"): (
                N_("Open the alarm"),
                panels.console_link(context, "alarms/${__data.fields.id}"),
            ),
            "case": (N_("Open the case"), panels.console_link(context, "cases/${__value.raw}")),
        },
        none=N_("No alarm is open."),
    )


def open_cases(
    context: Context, where: str = "", *, width: int = 12, title: str = N_("Open cases: who is on it")
) -> table.Panel:
    """The cases that are open, newest first."""
    more = f" AND {where}" if where else ""
    columns = {
        "Time": N_("Opened"),
        "priority": N_("Priority"),
        context.name("title"): N_("What"),
        "state": N_("State"),
        context.name("holder"): N_("Who has it"),
        "overdue": N_("Overdue"),
    }
    fields = ", ".join(f'"{name}"' for name in columns if name != "Time")
    return panels.rows(
        context,
        title,
        [
            context.query(
                f'SELECT {fields}, "id" FROM {context.tables.records(CASE)}'
                f' WHERE "open" = 1 AND {GRIDS}{more} ORDER BY time DESC LIMIT {_MOST}',
                form="table",
            )
        ],
        columns,
        width=width,
        hidden=("id",),
        words={"state": STATES, "overdue": {"1": N_("yes"), "0": N_("no")}},
        links={
            context.name("title"): (
                N_("Open the case"),
                panels.console_link(context, "cases/${__data.fields.id}"),
            )
        },
        none=N_("No case is open."),
    )


def edges_not_heard(context: Context) -> stat.Panel:
    """How many edges the gateway does not hear now."""
    return panels.figure(
        context,
        N_("Edges not heard"),
        context.query(
            f'SELECT count("up") FROM (SELECT last("value") AS "up" FROM '
            f'{context.tables.raw("gridwarden_edge_up")} WHERE {RECENT} GROUP BY "edge") WHERE "up" = 0'
        ),
    )
