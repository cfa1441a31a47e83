"""What InfluxDB answers: rows, or a store that cannot be used now; never something that stops a service."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import httpx

from ingest.database import StoreUnavailable
from ingest.stores import Series
from ingest.stores.influx_answers import Verdict
from ingest.stores.influx_client import InfluxClient, InfluxSettings, QueryFailed
from ingest.stores.influx_reader import InfluxHistory
from tests.fuzz.target import Target
from tests.fuzz.targets.edge import JSON_WORDS
from tests.ingest.world import NOW, small_site

_SETTINGS = InfluxSettings("http://influx")
_STATUSES = (200, 204, 400, 401, 404, 413, 422, 429, 500, 503)


def _answering(data: bytes) -> InfluxClient:
    """A server whose answers are `data`: the status chosen by its first byte, the rest is the body."""
    status = _STATUSES[data[0] % len(_STATUSES)] if data else 200
    wait = "".join(filter(str.isprintable, data[1:20].decode("ascii", "ignore"))).strip()

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(status, headers={"Retry-After": wait}, content=data[1:])

    return InfluxClient(_SETTINGS, httpx.MockTransport(answer))


async def _asked(data: bytes) -> None:
    history = InfluxHistory(_SETTINGS, small_site())
    await history.close()
    history._client = _answering(data)
    try:
        outcome = await history._client.write(b"x")
    except StoreUnavailable as error:
        assert error.retry_after is None or 0 <= error.retry_after <= 300
        assert len(str(error)) <= 1_000
    else:
        lines = [f"smoke,device=s smoke=true {at}" for at in range(5)]
        assert set(outcome.refusal.named(lines)) | {*outcome.refusal.suspects(lines)} <= {*range(5)}
        assert len(outcome.refusal.reason) <= 1_000
        assert outcome.verdict is not Verdict.WRITTEN or not outcome.refusal.reason
    whole: list[Callable[[], Coroutine[Any, Any, object]]] = [
        lambda: history.latest(["climate-1", "smoke-1", "door-1"]),
        lambda: history.series("climate-1", "temperature", NOW - 10**12, NOW),
        lambda: history.series("climate-1", "temperature", NOW - 10**12, NOW, buckets=10),
        lambda: history.series("smoke-1", "smoke", NOW - 10**12, NOW, buckets=10),
        lambda: history.series("climate-1", "mode", NOW - 10**12, NOW),
        lambda: history.counts(NOW - 10**12, NOW),
    ]
    for question in whole:
        try:
            found = await question()
        except (StoreUnavailable, QueryFailed) as error:
            assert len(str(error)) <= 1_000
            continue
        if isinstance(found, Series):
            assert all(isinstance(row.time, int) for row in found.rows)
            assert all(isinstance(bucket.time, int) and bucket.count > 0 for bucket in found.buckets)
    await history.close()


def _check(data: bytes) -> None:
    asyncio.run(_asked(data))


def _body(*results: object) -> bytes:
    return b"\0" + json.dumps({"results": results}).encode()


def _rows(columns: str, *values: object) -> dict[str, object]:
    return {"columns": columns.split(), "values": [values]}


_ROWS = _rows("time v v.quality v.received v.event", NOW, 21.5, None, None, None)

TARGETS = (
    Target(
        "influx",
        _check,
        (
            _body({"series": [{"name": "environment", "tags": {"device": "climate-1"}, **_ROWS}]}),
            _body({"series": [_rows("time count min max mean", NOW, 3, 1, 2, 1.5)]}),
            _body({"series": [{"tags": {"device": "d"}, **_rows("time count_temperature", 0, 5)}]}),
            _body({}, {}, {}),
            _body({"error": "database not found: x"}),
            b"\x02" + b'{"error":"partial write: field type conflict dropped=1"}',
            b"\x02" + b'{"error":"x","data":[{"line_number":2,"error_message":"bad"}]}',
            b"\x02" + b"unable to parse 'smoke,device=s smoke=true 1': bad timestamp dropped=2",
            b'\x02input field "smoke" on measurement "smoke" is type boolean, already exists as type float',
            b"\x07120",
            b"\x07Mon, 01 Jan 0001 00:00:00 GMT",
        ),
        (
            *JSON_WORDS,
            b'"series"',
            b'"values"',
            b'"tags"',
            b'"results"',
            b'"error"',
            b"[[]]",
            b"{}",
            b"dropped=",
            b"9" * 5000,
            b"unable to parse '",
            b"line_number",
            b"Mon, 01 Jan 0001 00:00:00 GMT",
        ),
        runs=40,
        hostile=(
            b'\0{"results":' + b"[" * 100_000,
            b'\0{"results":[{"error":"' + b"x" * 5_000_000 + b'"}]}',
            b"\x02" + b"x" * 5_000_000,
            b"\x02" + b"[" * 100_000,
        ),
    ),
)
