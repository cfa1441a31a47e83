"""Pushing to Grafana: what is missing is made, what differs replaced, the rest left alone."""

from collections.abc import Iterator

import pytest

from dashboards.boards import BOARDS
from dashboards.context import Context
from dashboards.documents import Influx
from dashboards.grafana_api import GrafanaApi, GrafanaUnavailable
from dashboards.push import Found, Push, State
from dashboards.watching import FOLDER, GROUP, Hook
from tests.dashboards.grafana_server import TOKEN, GrafanaServer

CONTEXTS = [Context("zh-CN"), Context("en")]
EVERYTHING = 1 + 2 * (1 + len(BOARDS) + 1) + 2
"""A data source; per language a folder, its dashboards, its rights; the folder and the rules of what Grafana
watches.
"""
HOOK = Hook("http://127.0.0.1:8420", "known to Grafana")


@pytest.fixture
def grafana() -> Iterator[GrafanaServer]:
    server = GrafanaServer()
    yield server
    server.close()


def push(grafana: GrafanaServer, token: str = TOKEN, password: str = "", hook: Hook | None = None) -> Push:
    return Push(GrafanaApi(grafana.url, token), CONTEXTS, Influx(), password, "网格员", hook)


def done(work: Push) -> list[Found]:
    found = []
    for one in work.compare():
        work.do(one)
        found.append(one)
    return found


def test_an_empty_grafana_gets_everything_and_then_nothing_more(grafana: GrafanaServer) -> None:
    first = done(push(grafana, password="secret"))
    assert [one.state for one in first] == [State.MISSING] * EVERYTHING
    assert grafana.sources["gridwarden-influxdb"]["secureJsonData"] == {"password": "secret"}
    assert [folder["title"] for folder in grafana.folders.values()] == [
        "GridWarden 安全平台",
        "GridWarden safety platform (en)",
        "GridWarden：由 Grafana 监视的事项",
    ]
    assert len(grafana.boards) == 2 * len(BOARDS)
    assert [team["name"] for team in grafana.teams] == ["网格员"]
    assert grafana.rights["gridwarden-zh"] == [
        {"role": "Editor", "permission": 2},
        {"role": "Viewer", "permission": 1},
        {"teamId": 1, "permission": 1},
    ]
    before = [*grafana.changes]
    assert {one.state for one in done(push(grafana))} == {State.SAME}
    assert grafana.changes == before


def test_what_somebody_changed_is_shown_and_replaced(grafana: GrafanaServer) -> None:
    done(push(grafana))
    kept = grafana.boards["gridwarden-fire-en"]["dashboard"]
    kept["panels"][0]["title"] = "My fires"
    different = [one for one in push(grafana).compare() if one.state is not State.SAME]
    assert [str(one.what) for one in different] == [
        "dashboard GridWarden · Fire and gas (gridwarden-fire-en)"
    ]
    assert '-   "title": "My fires",' in different[0].lines
    done(push(grafana))
    again = grafana.boards["gridwarden-fire-en"]["dashboard"]
    assert again["panels"][0]["title"] == "Fire and gas alarms now"
    assert again["version"] == 2


def test_a_dashboard_that_people_made_stays(grafana: GrafanaServer) -> None:
    done(push(grafana))
    grafana.boards["mine"] = {"dashboard": {"uid": "mine"}, "meta": {"folderUid": "gridwarden-zh"}}
    done(push(grafana))
    assert grafana.boards["mine"]["dashboard"] == {"uid": "mine"}


def test_a_dashboard_that_was_moved_comes_back(grafana: GrafanaServer) -> None:
    done(push(grafana))
    grafana.boards["gridwarden-overview-zh"]["meta"]["folderUid"] = "elsewhere"
    (moved,) = [one for one in done(push(grafana)) if one.state is not State.SAME]
    assert moved.lines == ("+ folder: gridwarden-zh",)
    assert grafana.boards["gridwarden-overview-zh"]["meta"]["folderUid"] == "gridwarden-zh"


def test_alerts_go_to_the_gateway_with_its_secret(grafana: GrafanaServer) -> None:
    done(push(grafana, hook=HOOK))
    (point,) = grafana.points
    assert (point["type"], point["settings"]["url"]) == (
        "webhook",
        "http://127.0.0.1:8420/api/v1/watchers/grafana",
    )
    assert point["settings"]["authorization_credentials"] == "known to Grafana"
    (group,) = grafana.groups.values()
    assert [rule["title"] for rule in group["rules"]] == ["网关无声", "完全没有读数"]
    assert {rule["notification_settings"]["receiver"] for rule in group["rules"]} == {point["name"]}
    before = [*grafana.changes]
    assert {one.state for one in done(push(grafana, hook=HOOK))} == {State.SAME}
    assert grafana.changes == before


def test_another_address_is_told_and_the_secret_stays_unless_it_is_given(grafana: GrafanaServer) -> None:
    done(push(grafana, hook=HOOK))
    (moved,) = [
        one for one in done(push(grafana, hook=Hook("https://gw.example"))) if one.state is not State.SAME
    ]
    assert any("https://gw.example/api/v1" in line for line in moved.lines)
    assert grafana.points[0]["settings"]["authorization_credentials"] == "known to Grafana"


def test_without_a_hook_alerts_go_where_grafanas_policies_send_them(grafana: GrafanaServer) -> None:
    done(push(grafana))
    assert grafana.points == []
    (group,) = grafana.groups.values()
    assert not any("notification_settings" in rule for rule in group["rules"])


def test_a_rule_that_somebody_changed_is_shown_and_replaced(grafana: GrafanaServer) -> None:
    done(push(grafana))
    (group,) = grafana.groups.values()
    group["rules"][0]["for"] = "9h"
    (changed,) = [one for one in push(grafana).compare() if one.state is not State.SAME]
    assert '-   "for": "9h",' in changed.lines
    done(push(grafana))
    assert grafana.groups[f"{FOLDER}/{GROUP}"]["rules"][0]["for"] == "1m"


def test_comparing_changes_nothing(grafana: GrafanaServer) -> None:
    assert len([*push(grafana).compare()]) == EVERYTHING
    assert grafana.changes == []


def test_a_wrong_token_and_a_grafana_that_is_away_are_told(grafana: GrafanaServer) -> None:
    with pytest.raises(GrafanaUnavailable, match="does not let this user or token do it"):
        done(push(grafana, "wrong"))
    away = Push(GrafanaApi("http://127.0.0.1:9", TOKEN), CONTEXTS, Influx())
    with pytest.raises(GrafanaUnavailable, match="cannot be reached"):
        done(away)
