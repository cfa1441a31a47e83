"""Answers as the servers give them, word for word."""

import httpx
import pytest

from ingest.stores.influx_answers import Refusal, read_refusal, reason_of


def answer(error: object, status: int = 400) -> httpx.Response:
    return httpx.Response(status, json=error)


def test_a_conflict_of_types_in_1_6() -> None:
    refusal = read_refusal(
        answer(
            {
                "error": 'partial write: field type conflict: input field "v" on measurement "m" is type'
                " string, already exists as type float dropped=2"
            }
        )
    )
    assert (refusal.dropped, refusal.conflict, refusal.of_points) == (2, ("v", "m", "string"), True)
    assert {*refusal.named(["a", "b"])} == {0, 1}
    assert refusal.named(["a", "b", "c"]) == {}


def test_lines_that_cannot_be_parsed_in_1_6() -> None:
    refusal = read_refusal(
        answer(
            {
                "error": "partial write: unable to parse 'm,device=a v= 11': missing field value\n"
                "unable to parse 'm,device=a 12': invalid field format dropped=0"
            }
        )
    )
    assert refusal.named(["m,device=a 12", "m v=1 1", "m,device=a v= 11"]) == {
        0: "invalid field format",
        2: "missing field value",
    }


def test_a_conflict_in_2_x() -> None:
    refusal = read_refusal(
        answer(
            {
                "code": "unprocessable entity",
                "message": "failure writing points to database: partial write: field type conflict:"
                ' input field "v" on measurement "m" is type integer, already exists as type float dropped=1',
            },
            422,
        )
    )
    assert (refusal.dropped, refusal.conflict) == (1, ("v", "m", "integer"))


def test_numbered_lines_of_3_x() -> None:
    told = {
        "error": "partial write of line protocol occurred",
        "data": [
            {"original_line": "home temp=hi 1", "line_number": 2, "error_message": "invalid column type"},
            {"original_line": "home temp=hi 2", "line_number": 9, "error_message": "out of range"},
        ],
    }
    refusal = read_refusal(answer(told))
    assert refusal.named(["a", "b", "c"]) == {1: "invalid column type"}
    assert refusal.named(["a", 'b="line\nbreak"', "c"]) == {}


@pytest.mark.parametrize(
    "text",
    ["partial write: points beyond retention policy dropped=5", "partial write: max-values-per-tag limit"],
)
def test_reasons_that_are_about_points(text: str) -> None:
    assert read_refusal(answer({"error": text})).of_points


@pytest.mark.parametrize("text", ["database is required", "no bucket", "<html>Bad Request</html>"])
def test_reasons_that_may_be_about_anything(text: str) -> None:
    refusal = read_refusal(httpx.Response(400, text=text))
    assert refusal == Refusal(text, of_points=False)


def test_a_long_reason_is_cut_and_an_odd_one_survives() -> None:
    assert len(reason_of(answer({"error": "x" * 9000}))) < 400
    assert reason_of(httpx.Response(502, text=" bad\n gateway ")) == "bad gateway"
    assert reason_of(httpx.Response(500)) == "Internal Server Error"
    assert reason_of(answer(["what"])) == "['what']"
    assert reason_of(answer("no")) == "no"
