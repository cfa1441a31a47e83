"""Small texts with a meaning: lengths of time, page marks, positions in the live feed, languages."""

import asyncio
import json
import math

from pydantic import TypeAdapter, ValidationError

from cases.store.conditions import BadCursor, alarm_cursor, case_cursor, cursor_of
from gateway.api.routes import language
from gateway.live import QUEUE, LiveFeed, event_stream
from language import LANGUAGES
from registry.grids import weekdays
from registry.model import Invalid
from registry.spans import length
from rules.durations import Duration, written
from simulators.scenario import Seconds
from tests.fuzz.target import Target

_durations: TypeAdapter[int] = TypeAdapter(Duration)
_moments: TypeAdapter[float] = TypeAdapter(Seconds)
_INT64 = range(-(1 << 63), 1 << 63)


def _check_duration(data: bytes) -> None:
    """A text is a length of time that can be counted with and written down, or it is refused."""
    text = data.decode("utf-8", "replace")
    try:
        found = _durations.validate_python(text)
    except ValidationError as error:
        assert len(error.errors()[0]["msg"]) <= 1_000
    else:
        assert 0 <= found < 1 << 63
        assert abs(_durations.validate_python(written(found)) - found) < 1_000_000
    try:
        span = length(text)
    except Invalid as error:
        assert len(str(error)) <= 1_000
    else:
        assert 0 < span.wall_seconds < 1e11
        assert span.days >= 0
        again = length(str(span))
        assert again.days == span.days
        assert math.isclose(again.seconds, span.seconds, rel_tol=1e-5, abs_tol=1e-3)
    try:
        seconds = _moments.validate_python(text)
    except ValidationError as error:
        assert len(error.errors()[0]["msg"]) <= 1_000
    else:
        assert 0 <= seconds < 1e9
    try:
        assert weekdays(text) <= {*range(7)}
    except Invalid as error:
        assert len(str(error)) <= 1_000


def _check_cursor(data: bytes) -> None:
    """A page mark is one that a page gave out, or it is refused; numbers fit a database."""
    text = data.decode("utf-8", "replace")
    for read in (alarm_cursor, case_cursor):
        try:
            key = read(text)
        except BadCursor:
            continue
        assert key is None or all(part in _INT64 for part in key if isinstance(part, int))
        if key is not None:
            assert read(cursor_of(*key)) == key


def _check_live(data: bytes) -> None:
    """Any Last-Event-ID gives a stream that a client can take apart: events it missed, or `stale`."""
    feed = LiveFeed(1_000)
    for _ in range(3):
        feed.tell("alarm", {"text": data.decode("utf-8", "replace")})
    subscription = feed.subscribe(frozenset({data.decode("latin-1")}), data.decode("latin-1"))
    assert len(subscription.waiting) <= QUEUE
    feed.tell("case", {"text": data.decode("latin-1")})
    feed.close()
    blocks = asyncio.run(_streamed(subscription)).split("\n\n")
    for block in filter(None, blocks[1:]):
        fields = [line.partition(": ") for line in block.split("\n")]
        assert [name for name, _, _ in fields] in (["id", "event", "data"], ["event", "data"])
        json.loads(fields[-1][2], parse_constant=_no_constant)
    assert not feed.listeners


async def _streamed(subscription: object) -> str:
    async def gone() -> bool:
        return True

    return "".join([part async for part in event_stream(subscription, gone)])  # type: ignore[arg-type]


def _no_constant(name: str) -> object:
    raise AssertionError(f"{name} in JSON")


def _check_language(data: bytes) -> None:
    assert language(data.decode("latin-1")) in LANGUAGES


TARGETS = (
    Target(
        "duration", _check_duration, (b"1h 30m", b"500ms", b"1d 4h", b"0s", b"2.5h", b"mon-fri", b"sat,sun"),
        (b"9" * 20, b"9" * 400, b"d", b"h", b"ms", b" ", b".", b"-", b"\xd9\xa3", b"e5", b"0"),
        runs=150, hostile=(b"9" * 5_000_000 + b"d", b"1s" * 200_000, b"1" + b" " * 5_000_000 + b"x"),
    ),
    Target(
        "cursor", _check_cursor,
        (cursor_of(1, 1_790_000_000_000_000_000, "smoke:s1#1").encode(), cursor_of("P1", 5, "BH-1").encode(),
         cursor_of(1, 1 << 63, "x").encode(), cursor_of("P1", -(1 << 63), "\0").encode()),
        (b"=", b"-", b"_", b"A", b"//", b"\xc3\xa9", b"W10"), runs=150,
    ),
    Target(
        "live", _check_live, (b"1001", b"0", b"999999999999999999", b"-1", b"line\nbreak\r\n\n"),
        (b"9" * 400, b"9" * 5000, b"\xb2", b"\xd9\xa3", b"\n", b"\r", b"\xe2\x80\xa8"), runs=50,
        hostile=(b"9" * 60_000,),
    ),
    Target(
        "accept-language", _check_language, (b"zh-CN,zh;q=0.9,en;q=0.8", b"*", b"de, fr;q=0.5"),
        (b",", b";", b"-", b"_", b"zh", b"\xff"), runs=50, hostile=(b"zh," * 20_000,),
    ),
)  # fmt: skip
