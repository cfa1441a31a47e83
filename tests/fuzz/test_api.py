"""The API as its OpenAPI document promises it, on a whole installation with real data.

Every operation is called with what the document allows and with what it does not, half of the time about
things that exist. No answer is a server error, each is one that the document describes, errors are RFC 9457
problems, asking twice gives the same, and no answer grows with what it was asked.
"""

import csv
import json
import os
import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.api.document import openapi
from tests.acceptance.conftest import Installation

RUNS: Final = int(os.environ.get("FUZZ_RUNS", "25"))
"""Calls of each operation and mode; `FUZZ_RUNS=1000 ./test tests/fuzz/test_api.py` looks further."""
LARGEST: Final = 2_000_000
"""Bytes that an answer about sixty devices may have."""
PROBLEM: Final = "application/problem+json"
CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

DOCUMENT: Final = openapi("1")
STORIES: Final = schemathesis.openapi.from_dict(DOCUMENT).exclude(path="/api/v1/live")  # it never ends
OPERATIONS: Final = {found.ok().label: found.ok() for found in STORIES.get_all_operations()}
TRIED: Final = [
    pytest.param(operation, mode, id=f"{label} {mode.value}")
    for label, operation in OPERATIONS.items()
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or operation.body or [*operation.query]  # a path is any text
]

settled = settings(
    max_examples=RUNS,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


class Lived:
    """An installation in which something has happened: an alarm, a case, a curve, rubbish."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.session = requests.Session()
        self.session.trust_env = False
        site = installation.get("site")
        case = installation.get("cases")["items"][0]
        self.known: dict[str, list[str]] = {
            "device": [row["id"] for row in installation.get("devices", limit=20)["items"]],
            "point": ["smoke", "battery", "temperature"],
            "number": [case["number"]],
            "alarm": [alarm["id"] for alarm in installation.get("alarms", state="all")["items"]],
            "grid": [grid["id"] for grid in site["grids"]][:20],
            "place": [case["place"]],
            "rule": [rule["id"] for rule in site["rules"]],
            "officer": [person["id"] for person in site["people"]][:20],
            "actor": [person["id"] for person in site["people"]],
            "category": [one["id"] for one in site["categories"]],
            "action": [action["action"] for action in installation.get(f"cases/{case['number']}")["actions"]],
        }

    def about_known_things(self, case: Case, data: st.DataObject) -> None:
        """Put names of things that exist into some of the places where `case` names one."""
        for part in (case.path_parameters, case.query, case.body):
            for name in self.known.keys() & part.keys() if isinstance(part, dict) else ():
                if data.draw(st.booleans(), label=f"a known {name}"):
                    value = data.draw(st.sampled_from(self.known[name]))
                    if part is case.path_parameters:
                        value = quote(value, safe="")
                    part[name] = [value] if isinstance(part[name], list) else value

    def call(self, case: Case) -> Any:
        return case.call(base_url=self.installation.address, session=self.session, timeout=20)


def _devices(installation: Installation, kind: str) -> list[dict[str, str]]:
    with (installation.data / "site" / "devices.csv").open(encoding="utf-8-sig") as file:
        return [row for row in csv.DictReader(file) if row["type"] == kind]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    """A real gateway with real data behind it."""
    installation = Installation(
        tmp_path_factory.mktemp("fuzz") / "var", ["--devices", "60", "--no-simulators"]
    ).start()
    try:
        smoke = _devices(installation, "z2m-smoke")[0]
        topic = f"zigbee2mqtt/{smoke['edge']}/{smoke['address']}"
        for battery in range(100, 80, -1):
            installation.publish(topic, json.dumps({"smoke": False, "battery": battery}))
        installation.publish(topic, b"\xff\xfe rubbish")
        installation.publish(f"zigbee2mqtt/{smoke['edge']}/nobody", '{"smoke": true}')
        installation.publish(topic, json.dumps({"smoke": True}))
        installation.wait(lambda: installation.get("cases")["items"], "a case")
        installation.wait(lambda: installation.get("quarantine"), "something in quarantine")
        yield Lived(installation)
    finally:
        if installation.process is not None:
            installation.stop()


def judged(case: Case, answer: Any, checks: list[Any]) -> None:
    """What every answer must be."""
    case.validate_response(answer, checks=checks)
    kind = answer.headers["content-type"][0].split(";")[0]
    body = answer.content
    assert len(body) <= LARGEST, f"{len(body)} bytes for {case.as_curl_command()}"
    if answer.status_code >= 400:
        assert kind == PROBLEM, answer.text
        problem = answer.json()
        assert problem["status"] == answer.status_code
        assert problem["title"]
        assert problem["type"]
        assert problem["instance"].startswith("/api/v1/")
    else:
        assert kind == "application/json"
        json.loads(body, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))


@pytest.mark.parametrize(("operation", "mode"), TRIED)
def test_every_answer_is_one_that_the_document_promises(
    operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode, lived: Lived
) -> None:
    @settled
    @given(case=operation.as_strategy(generation_mode=mode), data=st.data())
    def run(case: Case, data: st.DataObject) -> None:
        if mode is GenerationMode.POSITIVE:
            lived.about_known_things(case, data)
        answer = lived.call(case)
        judged(case, answer, CHECKS)
        if case.method == "GET":
            again = lived.call(case)
            assert (again.status_code, again.headers["content-type"]) == (
                answer.status_code, answer.headers["content-type"],
            )  # fmt: skip

    run()


@pytest.mark.parametrize("path", sorted({operation.path for operation in OPERATIONS.values()}))
def test_other_methods_are_refused_with_those_that_are_allowed(path: str, lived: Lived) -> None:
    allowed = {op.method.upper() for op in OPERATIONS.values() if op.path == path}
    path = re.sub(r"{\w+}", "1", path)
    for method in {"PUT", "PATCH", "DELETE", "POST"} - allowed:
        answer = httpx.request(method, f"{lived.installation.address}{path}", trust_env=False)
        assert answer.status_code == httpx.codes.METHOD_NOT_ALLOWED
        assert allowed <= {*answer.headers["allow"].split(", ")}
        assert answer.headers["content-type"] == PROBLEM


@pytest.mark.parametrize(
    "path", ["%00", "a%00b", "x" * 3000, "..%2f..%2fetc%2fpasswd", "%ff%fe", "%ed%a0%80"]
)
def test_pages_that_cannot_be_are_the_console(path: str, lived: Lived) -> None:
    answer = httpx.get(f"{lived.installation.address}/{path}", trust_env=False)
    assert answer.status_code == httpx.codes.OK
    assert "text/html" in answer.headers["content-type"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"actor":"a","note":"' + b"x" * 2_000_000 + b'"}',
        b'{"actor":"a","note":' + b"[" * 200_000,
        b'{"\\ud800":1}',
        b'{"actor":"\\ud800"}',
        b'{"actor":NaN}',
        b'{"actor":1e999}',
        b"\xff\xfe",
        b'{"actor":"a","values":{"\\udfff":"x"}}',
        b"{" + b",".join(b'"k%d":1' % n for n in range(50_000)) + b"}",
        b"9" * 5_000,
    ],
    ids=lambda body: f"{len(body)} bytes {body[:20]!r}",
)
def test_bodies_that_no_form_makes_are_refused_as_problems(body: bytes, lived: Lived) -> None:
    number, alarm = lived.known["number"][0], quote(lived.known["alarm"][0], safe="")
    for path in (f"cases/{number}/actions", f"alarms/{alarm}/acknowledge", f"alarms/{alarm}/reset"):
        for pieces in (body, iter([body[: len(body) // 2], body[len(body) // 2 :]])):
            answer = httpx.post(
                f"{lived.installation.address}/api/v1/{path}",
                content=pieces,
                headers={"content-type": "application/json"},
                trust_env=False,
                timeout=20,
            )
            assert answer.status_code in (400, 413, 422), answer.text[:300]
            assert answer.headers["content-type"] == PROBLEM
            assert len(answer.content) < 100_000
            assert answer.json()["status"] == answer.status_code


@settled
@given(
    device=st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=30), max_size=5),
    last=st.one_of(st.integers().map(str), st.text(st.characters(min_codepoint=32, max_codepoint=126))),
)
def test_the_live_feed_begins_for_whoever_asks(lived: Lived, device: list[str], last: str) -> None:
    with httpx.stream(
        "GET",
        f"{lived.installation.address}/api/v1/live",
        params={"device": device},
        headers={"Last-Event-ID": last.strip()},
        trust_env=False,
    ) as answer:
        assert answer.status_code == httpx.codes.OK
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert next(answer.iter_lines()) == "retry: 2000"


def test_pages_of_a_list_hold_every_row_once(lived: Lived) -> None:
    for path in ("devices", "alarms", "cases"):
        seen: list[str] = []
        after: str | None = ""
        while after is not None:
            page = lived.installation.get(
                path, limit=7, after=after, **({} if path == "devices" else {"state": "all"})
            )
            seen += [row.get("id") or row["number"] for row in page["items"]]
            after = page["next"]
            assert len(page["items"]) <= 7
        assert len(seen) == len(set(seen)) == page["total"]


def test_stories_across_operations(lived: Lived) -> None:
    """Stateful: what one answer names is asked of the others (links that follow from the document)."""
    machine = STORIES.as_state_machine()

    class Story(machine):  # type: ignore[misc, valid-type]
        def get_call_kwargs(self, case: Case) -> dict[str, Any]:
            return {"base_url": lived.installation.address, "session": lived.session, "timeout": 20}

        def validate_response(self, response: Any, case: Case, **_: Any) -> None:
            judged(case, response, CHECKS)

    Story.run(settings=settings(settled, max_examples=max(2, RUNS // 5), stateful_step_count=12))


def test_after_all_this_the_books_still_balance(lived: Lived) -> None:
    health = lived.installation.get("health")
    assert health["status"] == "ok", health
    assert lived.installation.books()["balanced"]
    assert "Traceback" not in lived.installation.last_words()
