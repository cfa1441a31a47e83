"""Grafana's alerts in our alarm list, from the body of its webhook on."""

from typing import Any

from tests.gateway.conftest import SECRET, Gateway

NEVER = "0001-01-01T00:00:00Z"


def body(status: str = "firing", ended: str = NEVER, **rest: Any) -> dict[str, Any]:
    """As Grafana's documentation shows it."""
    alert = {
        "status": status,
        "labels": {"alertname": "网关无声", "grafana_folder": "GridWarden", "severity": "high"},
        "annotations": {
            "name_zh": "网关无声",
            "name_en": "Gateway silent",
            "summary": "No gauges for 5 minutes.",
        },
        "startsAt": "2026-09-21T14:00:00.157076+02:00",
        "endsAt": ended,
        "values": {"B": 0, "C": 1},
        "generatorURL": "https://grafana.example/alerting/gridwarden-gateway/edit",
        "fingerprint": "c6eadffa33fcdf37",
        "silenceURL": "https://grafana.example/alerting/silence/new",
        **rest,
    }
    return {
        "receiver": "GridWarden", "status": status, "orgId": 1, "alerts": [alert], "groupLabels": {},
        "externalURL": "https://grafana.example/", "version": "1", "truncatedAlerts": 0,
    }  # fmt: skip


async def tell(gateway: Gateway, told: Any, secret: str = SECRET, status: int = 200) -> Any:
    answer = await gateway.client.post(
        "/api/v1/watchers/grafana", json=told, headers={"Authorization": f"Bearer {secret}"}
    )
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_an_alert_stands_in_the_list_until_grafana_says_that_it_is_over(gateway: Gateway) -> None:
    assert await tell(gateway, body()) == {"alerts": 1}
    await tell(gateway, body())
    (alarm,) = (await gateway.get("alarms"))["items"]
    assert alarm["rule_label"] == {"zh": "网关无声", "en": "Gateway silent"}
    assert (alarm["severity"], alarm["condition"], alarm["watcher"]) == ("high", "active", "grafana")
    assert (alarm["device_name"]["en"], alarm["place_name"]["en"]) == ("Grafana", "the platform itself")
    assert alarm["raised_at"] == "2026-09-21T12:00:00.157076Z"
    assert alarm["url"] == "https://grafana.example/alerting/gridwarden-gateway/edit"
    detail = await gateway.get("alarms/%40grafana:c6eadffa33fcdf37%231")
    assert [one["reason"] for one in detail["findings"]] == ["No gauges for 5 minutes."]
    await tell(gateway, body("resolved", "2026-09-21T14:07:00+02:00"))
    (alarm,) = (await gateway.get("alarms", state="all"))["items"]
    assert (alarm["condition"], alarm["cleared_at"]) == ("normal", "2026-09-21T12:07:00Z")


async def test_who_does_not_know_the_secret_tells_nothing(gateway: Gateway) -> None:
    problem = await tell(gateway, body(), "guessed", 401)
    assert problem["detail"] == "Wrong secret."
    answer = await gateway.client.post("/api/v1/watchers/grafana", json=body())
    assert answer.status_code == 401
    assert (await gateway.get("alarms", state="all"))["total"] == 0


async def test_without_a_secret_nothing_is_taken(gateway: Gateway) -> None:
    gateway.views.watchers = type(gateway.views.watchers)(gateway.views.watchers._hear, "")
    problem = await tell(gateway, body(), "", 409)
    assert "web.grafana_secret_file" in problem["detail"]


async def test_an_alert_that_people_made_has_its_own_name_and_is_medium(gateway: Gateway) -> None:
    await tell(
        gateway, body(labels={"alertname": "Disk 🔥 full"}, annotations={}, generatorURL="javascript:1")
    )
    (alarm,) = (await gateway.get("alarms"))["items"]
    assert alarm["rule_label"] == {"zh": "Disk 🔥 full", "en": "Disk 🔥 full"}
    assert (alarm["severity"], alarm["url"]) == ("medium", "")


async def test_what_is_no_notice_is_refused_with_the_place(gateway: Gateway) -> None:
    problem = await tell(gateway, body(fingerprint=""), status=422)
    assert [one["where"] for one in problem["errors"]] == ["body.alerts.0.fingerprint"]
