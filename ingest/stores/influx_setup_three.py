"""Setting up an InfluxDB 3 Core: a database for the readings, and two named tokens.

What other versions call a policy is a database of its own here, ``database/policy``, which the server makes
at the first write to it; only the readings' database is made with a limit (it cannot be changed later),
roll-ups and records stay for ever. The readings' policy is called ``autogen``, which the server leaves out
of the name.

https://docs.influxdata.com/influxdb3/core/api/auth-token/ and …/api/database/
"""

from typing import Any, Final

import httpx

from ingest.database import StoreUnavailable
from ingest.stores.influx_client import InfluxClient, InfluxSettings
from ingest.stores.influx_setup import CannotSetUp, State, Step, Wanted, kept, lets_in
from language import N_, Message
from readings.measurements import RECORDS

READINGS_POLICY: Final = "autogen"


class SetupThree:
    """The steps for an InfluxDB 3 Core. `wanted.retention.raw` must be called `READINGS_POLICY`."""

    def __init__(self, url: str, token: str, wanted: Wanted) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._wanted = wanted
        self._http = httpx.AsyncClient(
            base_url=self._url,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=30,
            trust_env=False,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def plan(self) -> list[Step]:
        """As `influx_setup.plan`."""
        wanted = self._wanted
        if not self._token:
            text = N_("InfluxDB 3 at {url} wants a file with an administrator's token")
            raise CannotSetUp(Message(text, {"url": self._url}))
        answer = await self._ask("GET", "/api/v3/configure/database", params={"format": "json"})
        try:
            names = {str(row["iox::database"]) for row in answer.json()}
        except (ValueError, KeyError, TypeError) as error:
            raise CannotSetUp(
                Message(N_("InfluxDB at {url} lists its databases in an unknown way"), {"url": self._url})
            ) from error
        values: dict[str, object] = {"database": wanted.database, "time": kept(wanted.retention.raw.days)}
        if wanted.database in names:
            steps = [Step(Message(N_("database {database}"), values), State.THERE)]
        else:
            text = N_("database {database}; readings are kept for {time}")
            steps = [Step(Message(text, values), State.MISSING, self._make_database)]
        for user in (wanted.writer, wanted.reader):
            steps.append(await self._user(user))
        rights = N_("both tokens may do everything: InfluxDB 3 Core has no others. Keep its port closed")
        steps.append(Step(Message(rights), State.LEFT))
        text = N_("which policy charts use for which span of time")
        return [*steps, Step(Message(text), State.MISSING, self._write)]

    async def _make_database(self) -> None:
        days = self._wanted.retention.raw.days
        body: dict[str, object] = {"db": self._wanted.database}
        if days:
            body["retention_period"] = f"{round(days * 24)}h"
        await self._ask("POST", "/api/v3/configure/database", json=body)

    async def _user(self, user: str) -> Step:
        wanted = self._wanted
        values: dict[str, object] = {"file": wanted.password_file(user), "user": user}
        token = wanted.password(user)
        if token and await lets_in(InfluxSettings(self._url, wanted.database), user, token):
            return Step(Message(N_("token {user}, in {file}"), values), State.THERE)
        if token and not wanted.new_passwords:
            text = N_("the token in {file} is refused: put the right one there, or use --new-passwords")
            return Step(Message(text, values), State.LEFT)

        async def make() -> None:
            body = {"token_name": f"{wanted.database}-{user}"}
            answer = await self._ask("POST", "/api/v3/configure/token/named_admin", json=body)
            wanted.keep_password(user, str(answer.json()["token"]))

        return Step(Message(N_("token {user}, in {file}"), values), State.MISSING, make)

    async def _write(self) -> None:
        client = InfluxClient(InfluxSettings(self._url, self._wanted.database, "setup", self._token))
        try:
            lines = "\n".join(self._wanted.retention.resolution_lines())
            await client.write(lines.encode(), policy=RECORDS)
        finally:
            await client.close()

    async def _ask(self, method: str, path: str, **what: Any) -> httpx.Response:
        try:
            answer = await self._http.request(method, path, **what)
        except httpx.TransportError as error:
            text = N_("InfluxDB at {url} cannot be reached: {why}")
            raise StoreUnavailable(
                Message(text, {"url": self._url, "why": str(error) or type(error).__name__})
            ) from error
        if not answer.is_success:
            told = Message(
                N_("InfluxDB at {url} answers {status}: {why}"),
                {"url": self._url, "status": answer.status_code, "why": answer.text.strip()[:300]},
            )
            raise CannotSetUp(told)
        return answer
