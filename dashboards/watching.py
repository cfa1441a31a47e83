"""What Grafana itself watches: that the gateway speaks, and that readings arrive at all.

Nothing else: alarms about the community are our rules' business, which go on without any Grafana. These two
are what a gateway that is down cannot tell. With a `Hook` they come back into its alarm list as well.

https://grafana.com/docs/grafana/latest/developers/http_api/alerting_provisioning/. No question here holds a
dollar sign, which Grafana would take for a variable of its environment in a file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from grafana_foundation_sdk.builders import alerting, expr
from grafana_foundation_sdk.models.alerting import RelativeTimeRange
from grafana_foundation_sdk.models.dashboard import DataSourceRef

from dashboards.context import SHORT, Context
from dashboards.documents import plain
from dashboards.query import Target
from language import N_, translator

FOLDER: Final = "gridwarden-watch"
GROUP: Final = "GridWarden"
RECEIVER: Final = "GridWarden"
HOOK: Final = "gridwarden-hook"
"""uid of the contact point."""
CREDENTIALS: Final = "authorization_credentials"
"""The key of a contact point's settings that Grafana does not tell again."""
PATH: Final = "/api/v1/watchers/grafana"
_TITLE: Final = N_("GridWarden: what Grafana watches")
_EXPRESSION: Final = "__expr__"
_EVERY: Final = 60
"""Seconds between two looks."""
_REPEAT: Final = "1h"
_ORGANISATION: Final = 1


@dataclass(frozen=True)
class Hook:
    """Where Grafana tells its alerts: the gateway as Grafana reaches it, and the secret it shows there."""

    url: str
    secret: str = ""


@dataclass(frozen=True)
class _Watch:
    uid: str
    name: str
    about: str
    measurement: str
    field: str
    minutes: int
    on_error: Literal["OK", "Alerting"]
    """What it is when InfluxDB does not answer: one of the two fires then, and that is enough."""


_WATCHES: Final = (
    _Watch(
        "gridwarden-silent",
        N_("Gateway silent"),
        N_("The gateway has told nothing for 5 minutes. Nobody may be watching: look at it now."),
        "gridwarden_part_up",
        "value",
        5,
        "OK",
    ),
    _Watch(
        "gridwarden-no-readings",
        N_("No readings at all"),
        N_("No edge's own reading has come to InfluxDB for 10 minutes, or InfluxDB does not answer."),
        "edge",
        "outbox_batches",
        10,
        "Alerting",
    ),
)


def title(context: Context) -> str:
    """The folder's title."""
    return context.say(_TITLE)


def contact_point(hook: Hook) -> dict[str, Any]:
    """Where the alerts go, as Grafana's API takes it."""
    settings = {
        "url": hook.url.rstrip("/") + PATH,
        "httpMethod": "POST",
        "authorization_scheme": "Bearer",
        CREDENTIALS: hook.secret,
        "maxAlerts": "0",
    }
    made = alerting.ContactPoint().uid(HOOK).name(RECEIVER).type("webhook").settings(settings)
    return plain(made.disable_resolve_message(False).build())


def rule_group(context: Context, *, told: bool) -> dict[str, Any]:
    """The rules as Grafana's API takes them; `told`: their alerts go to our contact point."""
    group = alerting.RuleGroup(GROUP).folder_uid(FOLDER).interval(_EVERY)
    for watch in _WATCHES:
        group = group.with_rule(_rule(watch, context, told=told))
    made = plain(group.build())
    for rule in made["rules"]:
        for query in rule["data"]:
            query["model"] |= {"intervalMs": 1000, "maxDataPoints": 43200}  # Grafana adds them, if we do not
    return made


def provisioned(context: Context, hook: Hook | None) -> dict[str, Any]:
    """Rules and contact point as a file for ``provisioning/alerting``."""
    group = rule_group(context, told=hook is not None)
    rules = [
        {key: value for key, value in rule.items() if key not in ("folderUID", "ruleGroup", "orgID")}
        for rule in group["rules"]
    ]
    made: dict[str, Any] = {
        "apiVersion": 1,
        "groups": [
            {
                "orgId": _ORGANISATION,
                "name": GROUP,
                "folder": title(context),
                "interval": f"{_EVERY}s",
                "rules": rules,
            }
        ],
    }
    if hook is not None:
        point = contact_point(hook)
        receiver = {key: point[key] for key in ("uid", "type", "settings", "disableResolveMessage")}
        made["contactPoints"] = [{"orgId": _ORGANISATION, "name": RECEIVER, "receivers": [receiver]}]
    return made


def queries(context: Context) -> Sequence[tuple[str, str]]:
    """Each rule's name and question."""
    return [(context.say(watch.name), _question(watch, context)) for watch in _WATCHES]


def _rule(watch: _Watch, context: Context, *, told: bool) -> alerting.Rule:
    expression = DataSourceRef(type_val=_EXPRESSION, uid=_EXPRESSION)
    asked = Target(context.query(_question(watch, context)))
    last = expr.TypeReduce().ref_id("B").datasource(expression).expression("A").reducer("last")
    evaluator = expr.ExprTypeThresholdConditionsEvaluator().type("lt").params([1])
    none = (
        expr.TypeThreshold()
        .ref_id("C")
        .datasource(expression)
        .expression("B")
        .conditions([expr.ExprTypeThresholdConditions().evaluator(evaluator)])
    )
    span = RelativeTimeRange(from_val=watch.minutes * 60, to=0)
    rule = (
        alerting.Rule(context.say(watch.name))
        .uid(watch.uid)
        .org_id(_ORGANISATION)
        .folder_uid(FOLDER)
        .rule_group(GROUP)
        .condition("C")
        .with_query(
            alerting.Query("A").datasource_uid(context.source.uid).relative_time_range(span).model(asked)
        )
        .with_query(alerting.Query("B").datasource_uid(_EXPRESSION).relative_time_range(span).model(last))
        .with_query(alerting.Query("C").datasource_uid(_EXPRESSION).relative_time_range(span).model(none))
        .no_data_state("Alerting")
        .exec_err_state(watch.on_error)
        .for_val("1m")
        .is_paused(False)
        .labels({"severity": "high"})
        .annotations({"summary": context.say(watch.about), **_names(watch)})
    )
    if told:
        rule = rule.notification_settings(
            alerting.NotificationSettings()
            .receiver(RECEIVER)
            .group_by(["alertname", "grafana_folder"])
            .repeat_interval(_REPEAT)
        )
    return rule


def _names(watch: _Watch) -> dict[str, str]:
    return {f"name_{short}": translator(language)(watch.name) for language, short in SHORT.items()}


def _question(watch: _Watch, context: Context) -> str:
    return (
        f'SELECT count("{watch.field}") FROM {context.tables.raw(watch.measurement)}'
        f" WHERE time > now() - {watch.minutes}m"
    )
