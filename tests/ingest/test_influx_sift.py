"""The sift against servers that refuse points, each naming them in its own way."""

import math
import re
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.database import StoreUnavailable
from ingest.stores.influx_answers import WRITTEN, Outcome, Refusal, Verdict
from ingest.stores.influx_sift import EverythingRefused, Sift

Refuse = Callable[[Sequence[str], Sequence[int]], Refusal]
"""What a server says to `lines` of which those at the positions are bad."""


def silent(lines: Sequence[str], bad: Sequence[int]) -> Refusal:
    return Refusal("partial write: something in it")


def counting(lines: Sequence[str], bad: Sequence[int]) -> Refusal:
    return Refusal("partial write: dropped", dropped=len(bad))


def conflicting(lines: Sequence[str], bad: Sequence[int]) -> Refusal:
    """As 1.x does: the first field in conflict, and how many points were dropped."""
    return Refusal("field type conflict", dropped=len(bad), conflict=("v", "m", "string"))


def numbering(lines: Sequence[str], bad: Sequence[int]) -> Refusal:
    """As 3.x does."""
    return Refusal("partial write of line protocol occurred", numbered={at: f"line {at}" for at in bad})


def parsing(lines: Sequence[str], bad: Sequence[int]) -> Refusal:
    return Refusal("unable to parse", parse_errors={lines[at]: "no" for at in bad})


NAMING: list[Refuse] = [counting, conflicting, numbering, parsing]


class Server:
    """Takes lines that do not end in `!`; fails so many times where it is told to."""

    def __init__(self, refuse: Refuse, fails: Sequence[int] = ()) -> None:
        self.refuse = refuse
        self.fails = {*fails}
        self.requests = 0
        self.written: set[str] = set()
        self.accepted = 0

    async def send(self, encoded: Sequence[bytes]) -> Outcome:
        lines = [line.decode() for line in encoded]
        self.requests += 1
        if self.requests in self.fails:
            raise StoreUnavailable("away")
        bad = [at for at, line in enumerate(lines) if line.endswith("!")]
        self.written |= {line for line in lines if not line.endswith("!")}
        if bad:
            return Outcome(Verdict.REFUSED, self.refuse(lines, bad))
        self.accepted += 1
        return WRITTEN


def encoded(lines: Sequence[str]) -> list[bytes]:
    return [line.encode() for line in lines]


def lines_of(n: int, bad: set[int]) -> list[str]:
    return [f'm,d={at} v="x" 1!' if at in bad else f"m,d={at} v={at}.0 1" for at in range(n)]


async def sift(server: Server, lines: Sequence[str], per_request: int = 5000) -> Sift:
    found = Sift(encoded(lines), lambda: server.accepted, per_request)
    while True:
        try:
            await found.run(server.send)
        except StoreUnavailable:
            continue
        return found


@given(
    n=st.integers(1, 300),
    bad=st.sets(st.integers(0, 299), max_size=40),
    refuse=st.sampled_from([silent, *NAMING]),
    per_request=st.sampled_from([7, 100, 5000]),
    fails=st.lists(st.integers(1, 200), max_size=20),
)
async def test_exactly_the_bad_points_are_refused(
    n: int, bad: set[int], refuse: Refuse, per_request: int, fails: list[int]
) -> None:
    bad = {at for at in bad if at < n}
    lines = lines_of(n, bad)
    server = Server(refuse, fails)
    found = await sift(server, lines, per_request)
    assert {*found.refused} == bad
    assert server.written == {line for at, line in enumerate(lines) if at not in bad}


@settings(max_examples=20)
@given(bad=st.sets(st.integers(0, 4999), min_size=1, max_size=60))
async def test_unnamed_points_cost_a_logarithm_each(bad: set[int]) -> None:
    server = Server(silent)
    await sift(server, lines_of(5000, bad))
    assert server.requests <= 1 + 2 * len(bad) * math.ceil(math.log2(5000))


@pytest.mark.parametrize("refuse", NAMING)
async def test_a_mistake_that_is_named_costs_a_few_requests_however_many_points_have_it(
    refuse: Refuse,
) -> None:
    bad = {*range(0, 5000, 2)} if refuse is not counting else {*range(2500)}
    server = Server(refuse)
    found = await sift(server, lines_of(5000, bad))
    assert {*found.refused} == bad
    assert server.requests <= 3


async def test_failures_in_the_middle_ask_nothing_again_that_was_answered() -> None:
    bad = {17, 1234, 4000}
    steady, shaky = Server(silent), Server(silent, fails=range(2, 500, 2))
    await sift(steady, lines_of(5000, bad))
    found = await sift(shaky, lines_of(5000, bad))
    assert {*found.refused} == bad
    assert shaky.requests <= 2 * steady.requests


async def test_what_is_too_large_is_halved_and_a_point_that_is_too_large_alone_is_refused() -> None:
    lines = encoded([f"m v={at} 1" for at in range(100)] + ["m v=" + "x" * 500 + " 1"])
    written: set[bytes] = set()

    async def send(part: Sequence[bytes]) -> Outcome:
        if sum(map(len, part)) > 200:
            return Outcome(Verdict.TOO_LARGE, Refusal("too large"))
        written.update(part)
        return WRITTEN

    found = Sift(lines, lambda: 0, 5000)
    await found.run(send)
    assert found.refused == {100: "too large"}
    assert written == {*lines[:100]}


async def test_when_nothing_passes_for_an_unknown_reason_nothing_is_given_up() -> None:
    requests: list[int] = []

    async def send(part: Sequence[bytes]) -> Outcome:
        requests.append(len(part))
        return Outcome(Verdict.REFUSED, Refusal("a proxy says no", of_points=False))

    found = Sift(encoded(lines_of(5000, set())), lambda: 0, 5000)
    for _ in range(3):
        with pytest.raises(EverythingRefused, match="a proxy says no"):
            await found.run(send)
    assert not found.refused
    assert requests == [5000, 1, 1] * 3


async def test_an_unknown_reason_is_about_points_when_others_pass() -> None:
    def unknown(lines: Sequence[str], bad: Sequence[int]) -> Refusal:
        return Refusal("what is this", of_points=False)

    server = Server(unknown)
    assert {*(await sift(server, lines_of(1000, {400, 999}))).refused} == {400, 999}
    # one alone is given up only when somebody else's points are taken meanwhile
    alone = Sift(encoded(lines_of(1, {0})), lambda: server.accepted, 5000)
    with pytest.raises(EverythingRefused):
        await alone.run(server.send)
    assert not alone.refused
    await server.send(encoded(["m v=1 1"]))
    await alone.run(server.send)
    assert alone.refused == {0: "what is this"}


def test_suspects_are_those_with_the_field_of_that_type() -> None:
    refusal = Refusal("", conflict=("v", "a b", "string"))
    lines = [
        'a\\ b,d=1 v="x" 1',
        "a\\ b,d=1 v=1.0 1",
        'a\\ b,d=1 u=1,v="y" 1',
        'c,d=1 v="x" 1',
        'a\\ b uv="x" 1',
    ]
    assert refusal.suspects(lines) == [0, 2]
    for kind, value in (("float", "1.5"), ("float", "-5e-324"), ("integer", "7i"), ("boolean", "true")):
        lines = [f"m v={other} 1" for other in ('"x"', "1.5", "-5e-324", "7i", "true")]
        found = Refusal("", conflict=("v", "m", kind)).suspects(lines)
        assert f"m v={value} 1" in [lines[at] for at in found]
        assert all(re.search(r"\d[^i\d]* 1$", lines[at]) for at in found if kind == "float")
