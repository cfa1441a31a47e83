"""The API as a client meets it: every route answers, every error says why, in the caller's language."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.live import event_stream
from ingest.bus import BusUnavailable
from ingest.normaliser import LastSample
from language import Message
from readings import Lane, Sample
from rules.commands import Acknowledge, Reset
from tests.gateway.conftest import NOW, SECOND, Gateway

ROOT = Path(__file__).resolve().parents[2]
ROUTES = ["site", "overview", "devices", "devices/s1", "latest?device=s1", "series?device=s1&point=smoke",
          "alarms", "cases", "system", "books", "quarantine", "health"]  # fmt: skip


@pytest.mark.parametrize("route", ROUTES)
async def test_every_question_is_answered(gateway: Gateway, route: str) -> None:
    gateway.find()
    assert (await gateway.client.get(f"/api/v1/{route}")).status_code == 200


@pytest.mark.parametrize(
    ("route", "status"),
    [
        ("devices/nobody", 404), ("latest?device=nobody", 404), ("series?device=s1&point=x", 404),
        ("alarms/none", 404), ("cases/none", 404), ("nothing/here", 404), ("alarms?limit=0", 422),
        ("series?device=s1", 422), ("alarms?after=rubbish", 400), ("cases?after=WzFd", 400),
        ("devices?after=x", 400),
    ],
)  # fmt: skip
@pytest.mark.parametrize("language", ["en", "zh-CN"])
async def test_every_error_is_a_problem_document(
    gateway: Gateway, route: str, status: int, language: str
) -> None:
    answer = await gateway.client.get(f"/api/v1/{route}", headers={"Accept-Language": language})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["detail"]


async def test_a_problem_speaks_the_callers_language(gateway: Gateway) -> None:
    english = await gateway.get("cases/none", "en", 404)
    chinese = await gateway.get("cases/none", "zh-CN", 404)
    assert english["detail"] != chinese["detail"]


WRONG = [
    ("GET", "alarms?limit=0", None, "query.limit"),
    ("GET", "alarms?limit=501", None, "query.limit"),
    ("GET", "alarms?limit=many", None, "query.limit"),
    ("GET", "alarms?severity=bad", None, "query.severity.0"),
    ("GET", "alarms?state=half-open", None, "query.state"),
    ("GET", "alarms?acknowledged=perhaps", None, "query.acknowledged"),
    ("GET", "devices?state=gone", None, "query.state"),
    ("GET", f"devices?q={'x' * 101}", None, "query.q"),
    ("GET", "series?device=s1", None, "query.point"),
    ("GET", "series?device=s1&point=smoke&start=yesterday", None, "query.start"),
    ("GET", "latest?" + "&".join(["device=s1"] * 201), None, "query.device"),
    ("POST", "cases/x/actions", "{", "body.1"),
    ("POST", "cases/x/actions", "[]", "body"),
    ("POST", "cases/x/actions", '{"actor": "g3"}', "body.action"),
    ("POST", "cases/x/actions", '{"action": 1, "actor": "g3"}', "body.action"),
    ("POST", "cases/x/actions", '{"action": "accept", "actor": ""}', "body.actor"),
    ("POST", "cases/x/actions", '{"action": "a", "actor": "g3", "evidence": {}}', "body.evidence"),
    ("POST", "cases/x/actions", '{"action": "a", "actor": "g3", "values": []}', "body.values"),
    ("POST", "cases/x/actions", '{"action": "a", "actor": "g3", "colour": "red"}', "body.colour"),
]


@pytest.mark.parametrize(("method", "path", "body", "where"), WRONG)
async def test_what_is_wrong_with_a_request_is_said_in_the_callers_language(
    gateway: Gateway, method: str, path: str, body: str | None, where: str
) -> None:
    said = {}
    for language in ("en", "zh-CN"):
        headers = {"Accept-Language": language, "Content-Type": "application/json"}
        answer = await gateway.client.request(method, f"/api/v1/{path}", content=body, headers=headers)
        assert answer.status_code == 422, answer.text
        (fault,) = answer.json()["errors"]
        assert fault["where"] == where
        assert "is not valid in 1 place." in answer.json()["detail"] or language == "zh-CN"
        said[language] = fault["message"]
    assert not re.search(r"[\u4e00-\u9fff]|valid:|Input", said["en"])
    assert re.search(r"[\u4e00-\u9fff]", said["zh-CN"])


@pytest.mark.parametrize(("method", "body", "status"), [("DELETE", "", 405), ("POST", "x" * (2 << 20), 413)])
async def test_the_frameworks_own_refusals_are_sentences_too(
    gateway: Gateway, method: str, body: str, status: int
) -> None:
    said = {}
    for language in ("en", "zh-CN"):
        headers = {"Accept-Language": language, "Content-Type": "application/json"}
        answer = await gateway.client.request(
            method, "/api/v1/cases/x/actions", content=body, headers=headers
        )
        assert answer.status_code == status
        said[language] = answer.json()["detail"]
    assert said["en"].endswith(".")
    assert said["zh-CN"].endswith("。")


async def test_lists_come_in_pages_and_count_everything(gateway: Gateway) -> None:
    for number in range(5):
        gateway.find("s1", "warm", occurrence=number + 1)
    seen: list[str] = []
    after = ""
    for _ in range(3):
        page = await gateway.get("alarms", limit=2, after=after)
        assert page["total"] == 5
        seen += [alarm["id"] for alarm in page["items"]]
        after = page["next"]
    assert after is None
    assert len(set(seen)) == 5
    first = await gateway.get("devices", limit=1)
    rest = await gateway.get("devices", limit=1, after=first["next"])
    assert [first["items"][0]["id"], rest["items"][0]["id"]] == ["s1", "s2"]


async def test_a_page_mark_of_another_list_is_refused(gateway: Gateway) -> None:
    for number in range(2):
        gateway.find("s1", "warm", occurrence=number + 1)
    mark = (await gateway.get("alarms", limit=1))["next"]
    await gateway.get("cases", status=400, after=mark)


async def test_alarms_can_be_asked_for_by_acknowledgement(gateway: Gateway) -> None:
    gateway.find()
    assert (await gateway.get("alarms", acknowledged="false"))["total"] == 1
    assert (await gateway.get("alarms", acknowledged="true"))["total"] == 0


@pytest.mark.parametrize("alarm", ["smoke:s1", "a/b:c/d", "smoke:8 栋/s1", "q?x:&y"])
async def test_an_alarm_id_may_hold_any_sign(gateway: Gateway, alarm: str) -> None:
    gateway.find(alarm=alarm)
    number = f"{alarm}#1"
    path = f"alarms/{quote(number, safe='')}"
    assert (await gateway.get(path))["id"] == number
    assert (await gateway.post(f"{path}/acknowledge", {"actor": "g3"}))["id"] == number
    assert gateway.commands == [Acknowledge(alarm, "g3", "")]


async def test_what_the_engine_refuses_is_said(gateway: Gateway) -> None:
    gateway.find()
    gateway.refuse = Message("It is over.")
    body = {"actor": "g3", "note": "looked"}
    problem = await gateway.post("alarms/smoke:s1%231/reset", body, status=409)
    assert problem["detail"] == "It is over."


async def test_a_reset_needs_a_note_and_a_known_person(gateway: Gateway) -> None:
    gateway.find()
    path = "alarms/smoke:s1%231/reset"
    assert "note" in (await gateway.post(path, {"actor": "g3"}, status=409))["detail"]
    assert "ghost" in (await gateway.post(path, {"actor": "ghost", "note": "x"}, status=409))["detail"]
    await gateway.post(path, {"actor": "g3", "note": "clear"})
    assert gateway.commands == [Reset("smoke:s1", "g3", "clear")]


async def test_a_value_that_is_no_number_is_null(gateway: Gateway) -> None:
    values = {one["point"]: one for one in (await gateway.get("latest", device="s1"))["s1"]}
    assert values["temperature"]["value"] is None
    assert values["smoke"]["value"] is True
    assert values["smoke"]["device_class"] == "smoke"
    series = await gateway.get(
        "series", device="s1", point="temperature", end="2026-09-21T15:00:00Z", start="2026-09-21T00:00:00Z"
    )
    assert [value for _, value in series["raw"]] == [21.5, None]


async def test_thresholds_travel_with_rule_and_device(gateway: Gateway) -> None:
    rules = {rule["id"]: rule["limits"] for rule in (await gateway.get("site"))["rules"]}
    assert rules["smoke"] == []
    assert [(one["op"], one["value"], one["severity"]) for one in rules["warm"]] == [
        (">", 70, "critical"),
        (">=", 60, "high"),
    ]
    assert (await gateway.get("devices/s1"))["limits"] == rules["warm"]


async def one_case(gateway: Gateway, language: str = "en") -> Any:
    gateway.find()
    (listed,) = (await gateway.get("cases"))["items"]
    return await gateway.get(f"cases/{listed['number']}", language)


async def test_a_case_names_people_and_things_instead_of_ids(gateway: Gateway) -> None:
    case = await one_case(gateway)
    assert case["holder"] == "g3"
    assert case["holder_name"]["en"] == "Near"
    found = next(line["said"] for line in case["history"] if line["action"] == "raise")
    assert "Smoke alarm" in found
    assert "Kitchen Smoke detector" in found
    assert "s1" not in found
    changes = {change["kind"]: change for change in (await gateway.get("overview"))["changes"]}
    assert changes["alarm"]["place"]["en"] == "Kitchen"
    assert changes["case"]["person"]["en"] == "Near"


async def test_an_actions_form_offers_real_choices(gateway: Gateway) -> None:
    case = await one_case(gateway)
    actions = {action["action"]: action for action in case["actions"]}
    fields = {(name, one["name"]): one for name, action in actions.items() for one in action["fields"]}
    values = {key: [choice["value"] for choice in one["choices"]] for key, one in fields.items()}
    assert values["hand_over", "officer"] == ["g1"]
    assert values["joint" if ("joint", "lead") in values else "join", "lead"] == ["fire-team"]
    assert values["prioritise", "priority"] == ["P2", "P3", "P4"]
    assert fields["reach_milestone", "milestone"]["choices"] == [{"value": "arrived", "label": "Arrived"}]
    assert fields["accept", "note"]["required"] is False


async def test_a_refused_action_says_why_in_both_languages(gateway: Gateway) -> None:
    case = await one_case(gateway)
    path = f"cases/{case['number']}/actions"
    told = [
        (await gateway.post(path, {"action": "accept", "actor": "v1"}, language, 409))["detail"]
        for language in ("en", "zh-CN")
    ]
    assert all(told)
    assert told[0] != told[1]
    assert (await gateway.post(path, {"action": "accept", "actor": "g3"}))["state"] == "in_progress"
    await gateway.post(path, {"action": "accept", "actor": "ghost"}, status=409)
    await gateway.post(path, {"action": "accept"}, status=422)


async def test_what_changes_is_streamed(gateway: Gateway) -> None:
    subscription = gateway.feed.subscribe(frozenset(), "")

    async def here() -> bool:
        return False

    stream = event_stream(subscription, here)
    assert (await anext(stream)).startswith("retry:")
    gateway.find()
    event = await anext(stream)
    assert "event: alarm" in event
    assert json.loads(event.split("data: ")[1])["alarm"]["id"] == "smoke:s1#1"


async def test_the_live_route_resumes_and_ends_with_the_feed(gateway: Gateway) -> None:
    gateway.find()
    resumed = gateway.feed.subscribe

    def ending(devices: frozenset[str], last: str) -> Any:
        subscription = resumed(devices, last)
        gateway.feed.close()
        return subscription

    gateway.feed.subscribe = ending  # type: ignore[method-assign]  # the stream would not end otherwise
    answer = await gateway.client.get("/api/v1/live", headers={"Last-Event-ID": "100"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "event: alarm" in answer.text
    assert "event: case" in answer.text


async def test_a_devices_last_samples_are_shown_as_they_came(gateway: Gateway) -> None:
    taken = Sample("z2m/kitchen", "smoke", float("nan"), NOW, 0, "mV")
    last = LastSample("e1", Lane.ALARM, NOW + SECOND, "smoke", taken)
    gateway.ingest["last_samples"] = {"samples": msgspec.to_builtins([last]), "clock_offset": 3.5004}
    (found,) = await gateway.get("devices/s1/samples")
    assert found["clock_offset_seconds"] == 3.5
    assert (found["native"], found["value"], found["unit"]) == ("smoke", None, "mV")
    assert found["device_time"] is None
    assert found["edge_time"] < found["received"]
    await gateway.get("devices/nobody/samples", status=404)


async def test_an_ingest_that_does_not_answer_is_said_to_be_so(gateway: Gateway) -> None:
    gateway.ingest["last_samples"] = BusUnavailable("nobody answers")
    problem = await gateway.get("devices/s1/samples", status=503)
    assert "nobody answers" in problem["detail"]


async def test_device_clocks_that_are_off_are_listed_the_most_wrong_first(gateway: Gateway) -> None:
    gateway.ingest["clock_offsets"] = {"offsets": {"s1": -6.0, "s2": 40.25, "gone": 1e9}}
    clocks = await gateway.get("clocks")
    assert [row["device"] for row in clocks["items"]] == ["s2", "s1"]
    assert [row["offset_seconds"] for row in clocks["items"]] == [40.25, -6.0]
    assert (clocks["compared"], clocks["off"]) == (2, 2)
    short = await gateway.client.get("/api/v1/clocks", params={"limit": 1})
    assert short.json()["items"] == clocks["items"][:1]
    gateway.ingest["clock_offsets"] = {"offsets": {"s1": -4.9}}
    clocks = await gateway.get("clocks")
    assert (clocks["compared"], clocks["off"], clocks["items"]) == (1, 0, [])


async def test_device_clocks_of_an_ingest_that_does_not_answer_are_not_made_up(gateway: Gateway) -> None:
    gateway.ingest["clock_offsets"] = BusUnavailable("nobody answers")
    problem = await gateway.get("clocks", status=503)
    assert "nobody answers" in problem["detail"]


@pytest.mark.parametrize(
    ("language", "label"), [("en", "readings → rules and cases"), ("zh-CN", "读数 → 规则与案件")]
)
async def test_a_queue_has_a_name_for_people_and_tells_a_backlog_from_work_in_hand(
    gateway: Gateway, language: str, label: str
) -> None:
    (queue,) = (await gateway.get("system", language))["queues"]
    assert (queue["name"], queue["label"]) == ("READINGS_ALARM → rules", label)
    assert (queue["waiting"], queue["in_hand"]) == (3, 2)


async def test_the_metrics_can_be_scraped(gateway: Gateway) -> None:
    text = (await gateway.client.get("/metrics")).text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert families["gridwarden_part_up"].samples[0].value == 1
    batches = {one.labels["which"]: one.value for one in families["gridwarden_queue_batches"].samples}
    assert batches == {"waiting": 3, "in_hand": 2}
    assert families["gridwarden_books_balanced"].samples[0].value == 1
    assert families["gridwarden_cases_open"].samples[0].labels == {"which": "all"}


async def test_the_metrics_tell_a_new_alarm(gateway: Gateway) -> None:
    async def open_alarms() -> dict[str, float]:
        text = (await gateway.client.get("/metrics")).text
        families = {family.name: family for family in text_string_to_metric_families(text)}
        samples = families["gridwarden_alarms_open"].samples
        return {sample.labels["severity"]: sample.value for sample in samples}

    before = await open_alarms()
    gateway.find()
    assert (await open_alarms())["critical"] == before.get("critical", 0) + 1


@pytest.mark.parametrize("path", ["/", "/cases/BH-1", "/alarms/smoke%3As1%231"])
async def test_every_page_of_the_console_is_its_start_page(gateway: Gateway, path: str) -> None:
    assert "console" in (await gateway.client.get(path)).text


async def test_files_are_served_and_nothing_outside_the_pages(gateway: Gateway) -> None:
    assert (await gateway.client.get("/icon.svg")).text == "<svg/>"
    assert (await gateway.client.get("/assets/a.js")).text == "1"
    assert "SQLite" not in (await gateway.client.get("/..%2Foperations.db")).text


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/v2/site"])
async def test_an_unknown_path_of_the_api_is_a_problem(gateway: Gateway, path: str) -> None:
    answer = await gateway.client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_consoles_api_document_is_up_to_date() -> None:
    subprocess.run([sys.executable, ROOT / "scripts" / "openapi", "--check"], check=True)


async def test_the_reference_for_people_comes_whole_from_this_machine(gateway: Gateway) -> None:
    page = await gateway.client.get("/docs")
    assert page.status_code == 200
    assert "script-src" not in page.headers["content-security-policy"]
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert not re.search(r"<script>|\son\w+=|javascript:|//[a-z]", page.text)
    files = re.findall(r'(?:src|href)="(/[^"]+)"', page.text)
    assert len(files) == 5
    for file in files:
        assert (await gateway.client.get(file)).status_code == 200, file
    assert (await gateway.client.get("/docs/redoc.standalone.js")).status_code == 404
