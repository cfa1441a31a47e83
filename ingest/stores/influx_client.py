"""HTTP to an InfluxDB, and what its answers mean: the path that 1.x, 2.x (with a DBRP mapping) and 3 share.

``/write`` with line protocol and ``/query`` with InfluxQL, both with HTTP Basic. Seen with 1.6.7 (and in
its source): a partly bad request is 400 with the good points written, or, when a new field has two types
in one request, with nothing written; a missing database is 404, a missing retention policy 500; errors of
a query come with status 200; ``precision=us`` is taken for ns; after a full disk it answers 500 until it
is restarted.
"""

import gzip
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, NamedTuple

import httpx

from ingest.database import StoreUnavailable
from readings import Scalar

_POINT_ERROR: Final = re.compile(
    r"partial write|unable to parse|field type conflict|beyond retention|points? .*dropped"
    r"|max-values-per-tag|max key length|time outside range",
    re.IGNORECASE,
)
_ASK_OPERATOR: Final = 30.0
"""Seconds between tries of what only a person can mend."""


class Verdict(Enum):
    """What became of a write request."""

    WRITTEN = "written"
    BAD_POINTS = "bad points"
    """Some point in it can never be written; the others may or may not have been."""
    TOO_LARGE = "too large"


class Outcome(NamedTuple):
    """A verdict with the server's own words."""

    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True)
class InfluxSettings:
    """How to reach the server."""

    url: str
    database: str = "gridwarden"
    user: str = ""
    password: str = ""
    timeout: float = 30.0
    compress: bool = False
    """gzip the requests: worth it over a network, not on one machine."""
    retention_policy: str = ""

    def __repr__(self) -> str:
        return f"InfluxSettings(url={self.url!r}, database={self.database!r}, user={self.user!r})"


class QueryFailed(Exception):
    """The server understood and refused: a mistake in the query. Mend the program."""


class InfluxClient:
    """One server. Every method raises `StoreUnavailable` when it cannot be used now."""

    def __init__(self, settings: InfluxSettings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.settings = settings
        auth = (settings.user, settings.password) if settings.user else None
        self._http = httpx.AsyncClient(
            base_url=settings.url.rstrip("/"),
            auth=auth,
            timeout=httpx.Timeout(settings.timeout, connect=5.0),
            transport=transport,
            trust_env=False,
        )
        self._write_parameters = {"db": settings.database, "precision": "ns"}
        if settings.retention_policy:
            self._write_parameters["rp"] = settings.retention_policy

    async def write(self, body: bytes) -> Outcome:
        """Write lines; raises `StoreUnavailable` for everything that may succeed unchanged later."""
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        if self.settings.compress:
            body = gzip.compress(body, 1)
            headers["Content-Encoding"] = "gzip"
        answer = await self._request("POST", "/write", self._write_parameters, body, headers)
        if answer.is_success:
            return Outcome(Verdict.WRITTEN)
        reason = _reason(answer)
        if answer.status_code == 413:
            return Outcome(Verdict.TOO_LARGE, reason)
        if answer.status_code in (400, 422) and _POINT_ERROR.search(reason):
            return Outcome(Verdict.BAD_POINTS, reason)
        raise self._refused(answer, reason)

    async def create_database(self) -> None:
        """Make the database; raises `StoreUnavailable` when this user may not."""
        await self.query(f"CREATE DATABASE {identifier(self.settings.database)}", change=True)

    async def query(
        self,
        statements: str,
        values: Mapping[str, Scalar] | None = None,
        *,
        change: bool = False,
    ) -> list[dict[str, Any]]:
        """The results of InfluxQL statements with bound `values`, times in ns; one entry per statement.

        Raises `QueryFailed` for an error inside the answer.
        """
        parameters = {"db": self.settings.database, "epoch": "ns", "q": statements}
        if values:
            parameters["params"] = json.dumps(values)
        answer = await self._request("POST" if change else "GET", "/query", parameters)
        if not answer.is_success:
            if answer.status_code == 400:
                raise QueryFailed(_reason(answer))
            raise self._refused(answer, _reason(answer))
        try:
            results: list[dict[str, Any]] = answer.json()["results"]
        except (ValueError, KeyError, TypeError) as error:
            raise StoreUnavailable(f"{self.settings.url}: unreadable answer: {error!r}") from error
        for result in results:
            if "error" in result:
                raise self._query_error(str(result["error"]))
        return results

    async def ping(self) -> str:
        """The server's version; empty when it does not say."""
        answer = await self._request("GET", "/ping", {})
        return str(answer.headers.get("X-Influxdb-Version", ""))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _request(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str],
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        try:
            return await self._http.request(method, path, params=parameters, content=body, headers=headers)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise StoreUnavailable(f"{self.settings.url}: {str(error) or type(error).__name__}") from error

    def _query_error(self, reason: str) -> Exception:
        lowered, text = reason.lower(), f"{self.settings.url}: {reason}"
        if "database not found" in lowered or "not authorized" in lowered:
            return StoreUnavailable(text, retry_after=_ASK_OPERATOR, operator=True)
        if "timeout" in lowered or "shutdown" in lowered:
            return StoreUnavailable(text)
        return QueryFailed(reason)

    def _refused(self, answer: httpx.Response, reason: str) -> StoreUnavailable:
        status = answer.status_code
        text = f"{self.settings.url}: {status} {reason}"
        if status in (429, 503):
            return StoreUnavailable(text, retry_after=_retry_after(answer))
        if status >= 500:
            return StoreUnavailable(text)
        # 401, 403, 404 and whatever else: sending it again unchanged helps only after somebody has looked.
        return StoreUnavailable(text, retry_after=_ASK_OPERATOR, operator=True)


def identifier(name: str) -> str:
    """A quoted InfluxQL identifier: names cannot be bound as parameters."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _reason(answer: httpx.Response) -> str:
    try:
        told = answer.json()
    except ValueError:
        return answer.text[:300].strip() or answer.reason_phrase
    if isinstance(told, dict):
        return str(told.get("error") or told.get("message") or told)[:600]
    return str(told)[:600]


def _retry_after(answer: httpx.Response) -> float | None:
    """Seconds the server asks for (RFC 9110 also allows a date, which InfluxDB does not send)."""
    wanted = answer.headers.get("Retry-After", "")
    return min(float(wanted), 300.0) if wanted.isdecimal() else None
