"""A case through the API from its first minute to its verification, as people at both ends meet it."""

from typing import Any

import pytest

from rules.findings import Condition, FindingKind, Severity
from tests.gateway.conftest import Gateway


async def opened(gateway: Gateway) -> str:
    """The number of the case of a smoke alarm."""
    gateway.find()
    (listed,) = (await gateway.get("cases"))["items"]
    return str(listed["number"])


async def do(gateway: Gateway, number: str, action: str, actor: str, status: int = 200, **rest: Any) -> Any:
    """Do something with a case; the answer, in English unless asked for otherwise."""
    language = rest.pop("language", "en")
    body = {"action": action, "actor": actor, **rest}
    return await gateway.post(f"cases/{number}/actions", body, language, status)


def offered(case: Any) -> dict[str, Any]:
    """What whoever asked may do."""
    return {one["action"]: one for one in case["actions"] if one["yours"] and not one["refused"]}


async def test_the_form_asks_for_each_proof_that_is_wanted_by_its_name(gateway: Gateway) -> None:
    number = await opened(gateway)
    case = await do(gateway, number, "accept", "g3", language="zh-CN")
    form = offered(case)["feedback"]["fields"]
    assert [(one["want"], one["label"], one["proof"], one["required"]) for one in form] == [
        ("scene", "现场照片", "photo", True),
        ("quiet", "读数正常", "reading", True),
        ("", "其他照片或文件", "photo", False),
        ("", "备注", None, False),
    ]
    assert all(one["hint"] for one in form if one["kind"] == "proof")
    assert [(one["id"], one["done"]) for one in case["wanted"]] == [("scene", False), ("quiet", False)]


@pytest.mark.parametrize(
    ("language", "sentence"),
    [("en", "Evidence is missing: The scene, Quiet."), ("zh-CN", "缺少证据：现场照片、读数正常。")],
)
async def test_what_is_missing_is_called_what_people_call_it(
    gateway: Gateway, language: str, sentence: str
) -> None:
    number = await opened(gateway)
    await do(gateway, number, "accept", "g3")
    problem = await do(gateway, number, "feedback", "g3", 409, note="done", language=language)
    assert problem["detail"] == sentence


async def test_an_officer_answers_each_proof_and_the_verifier_sees_who_showed_what(gateway: Gateway) -> None:
    number = await opened(gateway)
    await do(gateway, number, "accept", "g3")
    case = await do(gateway, number, "evidence", "g3", evidence=[{"want": "scene", "text": "IMG_2043"}])
    assert [(one["id"], one["done"]) for one in case["wanted"]] == [("scene", True), ("quiet", False)]
    assert [one["want"] for one in offered(case)["feedback"]["fields"]] == ["quiet", "", ""]
    gateway.find(kind=FindingKind.RESET, condition=Condition.NORMAL, actor="g3")
    case = await do(gateway, number, "feedback", "g3", note="pan taken off")
    assert case["state"] == "feedback"
    seen = await gateway.get(f"cases/{number}", actor="v1")
    assert [(one["kind"], one["text"], one["actor_name"], one["label"]) for one in seen["proofs"]] == [
        ("photo", "IMG_2043", "Near", {"zh": "现场照片", "en": "The scene"}),
        ("note", "pan taken off", "Near", {}),
    ]
    lines = {line["action"]: line for line in seen["history"]}
    assert [one["text"] for one in lines["evidence"]["proofs"]] == ["IMG_2043"]
    assert (lines["feedback"]["note"], lines["feedback"]["proofs"]) == ("pan taken off", [])
    assert [one["itself"] for one in seen["wanted"]] == [False, True]
    assert next(iter(offered(seen))) == "verify"


async def test_proofs_from_before_a_rework_are_shown_and_count_no_more(gateway: Gateway) -> None:
    number = await opened(gateway)
    await do(gateway, number, "accept", "g3")
    gateway.find(kind=FindingKind.RESET, condition=Condition.NORMAL, actor="g3")
    await do(gateway, number, "feedback", "g3", evidence=[{"want": "scene", "text": "blurred"}])
    await do(gateway, number, "verify", "v1")
    case = await do(gateway, number, "rework", "v1", reason="nothing to be seen")
    assert [(one["text"], one["void"]) for one in case["proofs"]] == [("blurred", True)]
    assert not case["wanted"][0]["done"]


async def test_a_proof_that_nobody_asked_for_is_refused(gateway: Gateway) -> None:
    number = await opened(gateway)
    problem = await do(gateway, number, "evidence", "g3", 409, evidence=[{"want": "hat", "text": "x"}])
    assert "hat" in problem["detail"]
    await do(gateway, number, "evidence", "g3", 422, evidence=[{"want": "scene", "text": ""}])


async def test_the_case_names_the_officer_of_the_place_and_whoever_has_it_now(gateway: Gateway) -> None:
    number = await opened(gateway)
    case = await do(gateway, number, "accept", "g1")
    assert case["place_officer"]["name"] == "Near"
    assert (case["officer"]["name"], case["holder_name"]["en"]) == ("Wide", "Wide")
    case = await do(gateway, number, "return", "d1", reason="no fire")
    assert (case["holder"], case["place_officer"]["id"]) == ("centre", "g3")
    assert case["history"][-1]["holder_name"] == {"zh": "智慧中心", "en": "smart centre"}


async def test_actions_are_those_of_whoever_asks_and_what_takes_the_case_on_comes_first(
    gateway: Gateway,
) -> None:
    number = await opened(gateway)
    anybody = await gateway.get(f"cases/{number}")
    assert all(one["yours"] for one in anybody["actions"])
    case = await do(gateway, number, "accept", "g3")
    mine = offered(case)
    assert next(iter(mine)) == "feedback"
    assert "accept" not in {one["action"] for one in case["actions"]}
    others = {one["action"] for one in case["actions"] if not one["yours"]}
    assert {"return", "defer"} <= others
    assert not others & mine.keys()
    brigade = await gateway.get(f"cases/{number}", actor="d1")
    assert [*offered(brigade)][:2] == ["feedback", "accept"]
    assert "ghost" in (await gateway.get(f"cases/{number}", actor="ghost", status=409))["detail"]


async def test_alarm_and_case_keep_the_worst_severity_and_the_history_says_how_it_changed(
    gateway: Gateway,
) -> None:
    number = await opened(gateway)
    kinds = {"kind": FindingKind.SEVERITY, "severity": Severity.MEDIUM}
    gateway.find(**kinds)
    (alarm,) = (await gateway.get("alarms"))["items"]
    assert (alarm["severity"], alarm["worst"]) == ("medium", "critical")
    for language, sentence in (
        ("en", "Severity fell from critical to medium: Smoke alarm · Kitchen Smoke detector"),
        ("zh-CN", "级别由紧急降为一般：烟雾报警 · 厨房 烟感"),
    ):
        case = await gateway.get(f"cases/{number}", language)
        assert case["worst"] == "critical"
        assert case["history"][-1]["said"] == sentence
