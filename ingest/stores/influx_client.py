"""HTTP to an InfluxDB, and what its answers mean: the path that 1.x, 2.x (with a DBRP mapping) and 3 share.

``/write`` with line protocol and ``/query`` with InfluxQL, both with HTTP Basic. Seen with 1.6.7 (and in
its source): a missing database is 404, a user without rights 403, a missing retention policy 500; errors of
a query come with status 200; ``precision=us`` is taken for ns; after a full disk it answers 500 until it is
restarted. What a refused request means is in `ingest.stores.influx_answers`.
"""

import asyncio
import gzip
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlencode

import httpx

from ingest.database import StoreUnavailable
from ingest.stores.influx_answers import WRITTEN, Outcome, Verdict, read_refusal, reason_of, shown
from language import N_, Message
from readings import Scalar

_ASK_OPERATOR: Final = 30.0
"""Seconds between tries of what only a person can mend."""
_CONNECT: Final = 5.0
_NOT_EXECUTED: Final = "not executed"
"""What 1.x says of the statements besides the one that failed."""
_LONGEST_WISH: Final = 300.0
"""A server that asks to be left alone for longer is asked again after so many seconds all the same."""


UNREADABLE: Final = (
    ValueError, KeyError, TypeError, IndexError, AttributeError, ArithmeticError, RecursionError,
)  # fmt: skip
"""What taking apart an answer of another shape than InfluxDB's raises."""


class DatabaseMissing(StoreUnavailable):
    """The server has no such database. Make it, or tell the operator."""


class NotSetUp(StoreUnavailable):
    """The database lacks a retention policy (`ingest.stores.influx_policies`). Tell the operator."""


class Interrupted(StoreUnavailable):
    """The connection was cut after the request had begun: nobody knows what was written. Send it again."""


class NoAnswer(Interrupted):
    """The server took the request and has not answered in time."""


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
            transport=transport,
            trust_env=False,
        )
        self._timeout = httpx.Timeout(settings.timeout, connect=_CONNECT)
        self._quiet_until = 0.0
        self._quiet_reason: Message | None = None
        self._write_parameters = {"db": settings.database, "precision": "ns"}
        if settings.retention_policy:
            self._write_parameters["rp"] = settings.retention_policy

    async def write(self, body: bytes, patience: float | None = None, policy: str = "") -> Outcome:
        """Write lines to a retention policy (empty: the usual one), waiting `patience` seconds for the
        answer.

        Raises `StoreUnavailable` for everything that may succeed unchanged later, `Interrupted` or `NoAnswer`
        among them when it may have succeeded already.
        """
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        if self.settings.compress:
            body = await asyncio.to_thread(gzip.compress, body, 1)
            headers["Content-Encoding"] = "gzip"
        self._leave_alone()
        parameters = self._write_parameters
        if policy:
            parameters = parameters | {"rp": policy}
        answer = await self._request("POST", "/write", parameters, body, headers, patience)
        if answer.is_success:
            return WRITTEN
        if answer.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
            return Outcome(Verdict.TOO_LARGE, read_refusal(answer))
        if answer.status_code in (httpx.codes.BAD_REQUEST, httpx.codes.UNPROCESSABLE_ENTITY):
            return Outcome(Verdict.REFUSED, read_refusal(answer))
        raise self._refused(answer)

    async def query(
        self,
        statements: str,
        values: Mapping[str, Scalar] | None = None,
        *,
        change: bool = False,
    ) -> list[dict[str, Any]]:
        """The results of InfluxQL statements with bound `values`, times in ns; one entry per statement.

        What is to `change` something travels in the body: addresses are written to logs, and it may hold a
        password. Raises `QueryFailed` for an error inside the answer.
        """
        parameters = {"db": self.settings.database, "epoch": "ns", "q": statements}
        if values:
            parameters["params"] = json.dumps(values)
        if change:
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = await self._request("POST", "/query", {}, urlencode(parameters).encode(), form)
        else:
            answer = await self._request("GET", "/query", parameters)
        if not answer.is_success:
            if answer.status_code == httpx.codes.BAD_REQUEST:
                raise QueryFailed(reason_of(answer))
            raise self._refused(answer)
        try:
            results: list[dict[str, Any]] = answer.json()["results"]
            errors = [str(result["error"]) for result in results if "error" in result]
            failed = next((error for error in errors if error != _NOT_EXECUTED), "".join(errors[:1]))
        except UNREADABLE as error:
            raise self.unreadable(error) from error
        if failed:
            raise self._query_error(shown(failed))
        return results

    def unreadable(self, error: Exception) -> StoreUnavailable:
        """The exception for an answer that is not InfluxDB's: a proxy's page, half a body."""
        return StoreUnavailable(f"{self.settings.url}: unreadable answer: {str(error)[:200]!r}")

    async def ping(self) -> tuple[str, str]:
        """The server's version and its time as it says them; empty where it does not."""
        answer = await self._request("GET", "/ping", {})
        return answer.headers.get("X-Influxdb-Version", ""), answer.headers.get("Date", "")

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
        patience: float | None = None,
    ) -> httpx.Response:
        timeout = self._timeout if patience is None else httpx.Timeout(patience, connect=_CONNECT)
        try:
            return await self._http.request(
                method, path, params=parameters, content=body, headers=headers, timeout=timeout
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.InvalidURL) as error:
            unreachable = N_("InfluxDB at {url} cannot be reached: {why}")
            raise StoreUnavailable(self._about(unreachable, error)) from error
        except httpx.TimeoutException as error:
            silent = N_("InfluxDB at {url} has not answered within {seconds} s")
            raise NoAnswer(self._about(silent, error, seconds=f"{timeout.read or 0:g}")) from error
        except httpx.TransportError as error:
            cut = N_("InfluxDB at {url} cut the connection: {why}")
            raise Interrupted(self._about(cut, error)) from error

    def _about(self, template: str, why: object, **more: object) -> Message:
        text = (str(why) or type(why).__name__) if isinstance(why, Exception) else why
        return Message(template, {"url": self.settings.url, "why": text, **more})

    def _leave_alone(self) -> None:
        """Raise `StoreUnavailable` while the server has asked for quiet."""
        left = self._quiet_until - time.monotonic()
        if left > 0 and self._quiet_reason is not None:
            raise StoreUnavailable(self._quiet_reason, retry_after=left)

    def _query_error(self, reason: str) -> Exception:
        lowered = reason.lower()
        if "database not found" in lowered:
            return self._database_missing(reason)
        if "not authorized" in lowered:
            return self._not_allowed(reason)
        if "retention policy not found" in lowered:
            return self._not_set_up(reason)
        if "timeout" in lowered or "shutdown" in lowered:
            return StoreUnavailable(f"{self.settings.url}: {reason}")
        return QueryFailed(reason)

    def _refused(self, answer: httpx.Response) -> StoreUnavailable:
        status, reason = answer.status_code, reason_of(answer)
        wish = _retry_after(answer) if status in (429, 503) else None
        if wish is not None:
            waits = N_("InfluxDB at {url} asks to wait {seconds} s: {status} {why}")
            asked = self._about(waits, reason, status=status, seconds=f"{wish:g}")
            self._quiet_until, self._quiet_reason = time.monotonic() + wish, asked
            return StoreUnavailable(asked, retry_after=wish)
        if "no space left" in reason.lower():
            full = N_("the disk of InfluxDB at {url} is full: {why}. Make room there, then restart it")
            return StoreUnavailable(self._about(full, reason))
        if "retention policy not found" in reason.lower():  # 1.6.7 says so with status 500
            return self._not_set_up(reason)
        if status >= 500 or status == 429:
            return StoreUnavailable(
                self._about(N_("InfluxDB at {url} fails: {status} {why}"), reason, status=status)
            )
        if status in (401, 403):
            return self._not_allowed(f"{status} {reason}")
        if status == 404 and "database not found" in reason.lower():
            return self._database_missing(reason)
        # 404 of a bucket and whatever else: sending it again helps only after somebody has looked
        return self.refuses_everything(f"{status} {reason}")

    def refuses_everything(self, reason: str) -> StoreUnavailable:
        """What to raise when it is not the points."""
        about = self._about(N_("InfluxDB at {url} refuses whatever it is sent: {why}"), shown(reason))
        return StoreUnavailable(about, retry_after=_ASK_OPERATOR, operator=True)

    def _not_allowed(self, reason: str) -> StoreUnavailable:
        text = N_("InfluxDB at {url} refuses user {user}: {why}. Mend the password, or the rights there")
        about = self._about(text, reason, user=repr(self.settings.user))
        return StoreUnavailable(about, retry_after=_ASK_OPERATOR, operator=True)

    def _not_set_up(self, reason: str) -> NotSetUp:
        text = N_("InfluxDB at {url} is not set up: {why}. Run: gridwarden influx setup")
        return NotSetUp(self._about(text, reason), retry_after=_ASK_OPERATOR, operator=True)

    def _database_missing(self, reason: str) -> StoreUnavailable:
        text = N_("InfluxDB at {url} has no database {database}: {why}")
        about = self._about(text, reason, database=repr(self.settings.database))
        return DatabaseMissing(about, retry_after=_ASK_OPERATOR, operator=True)


def identifier(name: str) -> str:
    """A quoted InfluxQL identifier: names cannot be bound as parameters."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _retry_after(answer: httpx.Response) -> float | None:
    """Seconds that the server asks for: a number or a date (RFC 9110, 10.2.3)."""
    wanted = answer.headers.get("Retry-After", "").strip()
    if wanted.isdecimal():
        return min(float(wanted), _LONGEST_WISH)
    try:
        until = parsedate_to_datetime(wanted).timestamp()
    except ValueError:
        return None
    return min(max(0.0, until - time.time()), _LONGEST_WISH)
