"""Setting up an InfluxDB 2.x: a bucket for each policy, mapped to a database, and two tokens.

Buckets are named ``database/policy``. The DBRP mapping makes ``/write?db=…&rp=…`` and
``"db"."policy"."measurement"`` mean them, as in 1.x. Talks to the server through its maintained client,
which is synchronous: every call is made in a thread.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.domain.authorization import Authorization
from influxdb_client.domain.bucket import Bucket
from influxdb_client.domain.bucket_retention_rules import BucketRetentionRules
from influxdb_client.domain.dbrp_create import DBRPCreate
from influxdb_client.domain.permission import Permission
from influxdb_client.domain.permission_resource import PermissionResource
from influxdb_client.rest import ApiException
from influxdb_client.service.dbr_ps_service import DBRPsService

from ingest.database import StoreUnavailable
from ingest.stores.influx_client import InfluxClient, InfluxSettings
from ingest.stores.influx_policies import Policy
from ingest.stores.influx_setup import Act, CannotSetUp, State, Step, Wanted, kept, lets_in
from language import N_, Message
from readings.measurements import RECORDS

_DAY: Final = 86_400
_RIGHTS: Final = {"ALL": ("read", "write"), "READ": ("read",)}

_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Administrator:
    """Who sets up: a token that may do everything in its organisation."""

    url: str
    org: str
    token: str


class SetupTwo:
    """The steps for an InfluxDB 2.x."""

    def __init__(self, administrator: Administrator, wanted: Wanted) -> None:
        self._url = administrator.url
        self._wanted = wanted
        self._org = administrator.org
        self._token = administrator.token
        self._client = InfluxDBClient(
            administrator.url, administrator.token, org=administrator.org, timeout=30_000
        )
        self._org_id = ""

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    async def plan(self) -> list[Step]:
        """As `influx_setup.plan`."""
        if not self._org or not self._token:
            wants = N_("InfluxDB 2.x at {url} wants the organisation (--org) and an all-access token")
            raise CannotSetUp(Message(wants, {"url": self._url}))
        found = await self._ask(lambda: self._client.organizations_api().find_organizations(org=self._org))
        if not found:
            unknown = N_("InfluxDB at {url} has no organisation {org}")
            raise CannotSetUp(Message(unknown, {"url": self._url, "org": repr(self._org)}))
        self._org_id = str(found[0].id)
        steps: list[Step] = []
        for policy in self._wanted.retention.policies:
            steps += await self._bucket(policy)
        for user, right in ((self._wanted.writer, "ALL"), (self._wanted.reader, "READ")):
            steps.append(await self._user(user, right))
        lines = "\n".join(self._wanted.retention.resolution_lines()).encode()
        text = Message(N_("which policy charts use for which span of time"))
        return [*steps, Step(text, State.MISSING, lambda: self._write(lines))]

    async def _bucket(self, policy: Policy) -> list[Step]:
        name = f"{self._wanted.database}/{policy.name}"
        seconds = round(policy.days * _DAY)
        values: dict[str, object] = {"bucket": name, "time": kept(policy.days), "policy": policy.name}
        bucket = await self._ask(lambda: self._client.buckets_api().find_bucket_by_name(name))
        text = N_("bucket {bucket}, which keeps for {time}")
        if bucket is None:

            def make() -> object:
                rules = [BucketRetentionRules(every_seconds=seconds)] if seconds else []
                return self._client.buckets_api().create_bucket(
                    bucket_name=name, retention_rules=rules, org=self._org_id
                )

            steps = [Step(Message(text, values), State.MISSING, self._act(make))]
        else:
            steps = [self._keeping(bucket, seconds, values)]
        mapped = await self._ask(
            lambda: DBRPsService(self._client.api_client).get_dbr_ps(
                org_id=self._org_id, db=self._wanted.database, rp=policy.name
            )
        )
        values["database"] = self._wanted.database
        told = Message(N_("it is {database}'s policy {policy} (DBRP mapping)"), values)
        if mapped.content:
            return [*steps, Step(told, State.THERE)]
        return [*steps, Step(told, State.MISSING, self._act(self._map(policy, name)))]

    def _keeping(self, bucket: Bucket, seconds: int, values: dict[str, object]) -> Step:
        now = next((int(rule.every_seconds or 0) for rule in bucket.retention_rules or ()), 0)
        if now == seconds:
            return Step(Message(N_("bucket {bucket}, which keeps for {time}"), values), State.THERE)
        values["now"] = kept(now / _DAY)
        if (seconds and (not now or now > seconds)) and not self._wanted.shorten:
            text = N_("bucket {bucket} keeps for {now}, longer than {time}: --shorten would remove the rest")
            return Step(Message(text, values), State.LEFT)

        def change() -> object:
            bucket.retention_rules = [BucketRetentionRules(every_seconds=seconds)] if seconds else []
            return self._client.buckets_api().update_bucket(bucket)

        text = N_("bucket {bucket} keeps for {time} instead of {now}")
        return Step(Message(text, values), State.MISSING, self._act(change))

    def _map(self, policy: Policy, bucket_name: str) -> Callable[[], object]:
        def make() -> object:
            bucket = self._client.buckets_api().find_bucket_by_name(bucket_name)
            mapping = DBRPCreate(
                org_id=self._org_id,
                bucket_id=bucket.id,
                database=self._wanted.database,
                retention_policy=policy.name,
                default=policy == self._wanted.retention.raw,
            )
            return DBRPsService(self._client.api_client).post_dbrp(mapping)

        return make

    async def _user(self, user: str, right: str) -> Step:
        wanted = self._wanted
        values: dict[str, object] = {
            "user": user, "file": wanted.password_file(user), "database": wanted.database,
        }  # fmt: skip
        write = right == "ALL"
        text = (
            N_("a token in {file} that may read and write {database}")
            if write
            else N_("a token in {file} that may read {database}")
        )
        token = wanted.password(user)
        settings = InfluxSettings(self._url, database=wanted.database)
        if token and await lets_in(settings, user, token):
            return Step(Message(text, values), State.THERE)
        if token and not wanted.new_passwords:
            text = N_("the token in {file} is refused: put the right one there, or use --new-passwords")
            return Step(Message(text, values), State.LEFT)

        def make() -> None:
            buckets = [
                self._client.buckets_api().find_bucket_by_name(f"{wanted.database}/{policy.name}")
                for policy in wanted.retention.policies
            ]
            permissions = [
                Permission(action, PermissionResource(type="buckets", id=bucket.id, org_id=self._org_id))
                for bucket in buckets
                for action in _RIGHTS[right]
            ]
            made = self._client.authorizations_api().create_authorization(
                authorization=Authorization(
                    org_id=self._org_id, permissions=permissions, description=f"GridWarden: {user}"
                )
            )
            wanted.keep_password(user, str(made.token))

        return Step(Message(text, values), State.MISSING, self._act(make))

    async def _write(self, lines: bytes) -> None:
        client = InfluxClient(
            InfluxSettings(self._url, self._wanted.database, "gridwarden-setup", self._token)
        )
        try:
            await client.write(lines, policy=RECORDS)
        finally:
            await client.close()

    def _act(self, work: Callable[[], object]) -> Act:
        async def act() -> None:
            await self._ask(work)

        return act

    async def _ask(self, work: Callable[[], _Answer]) -> _Answer:
        try:
            return await asyncio.to_thread(work)
        except ApiException as error:
            told = Message(
                N_("InfluxDB at {url} answers {status}: {why}"),
                {"url": self._url, "status": error.status, "why": error.message or error.reason},
            )
            raise CannotSetUp(told) from error
        except urllib3.exceptions.HTTPError as error:
            text = N_("InfluxDB at {url} cannot be reached: {why}")
            raise StoreUnavailable(Message(text, {"url": self._url, "why": str(error)})) from error
