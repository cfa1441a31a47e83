"""Making an InfluxDB ready: the database with its policies, one user that writes, one that only reads.

`plan` looks and says step by step what is there and what is missing; acting comes afterwards, so that a dry
run is the same look. Nothing that exists is made again, and nothing is taken away: a policy that keeps
readings for longer than wanted stays as it is unless shortening was asked for, a user's password likewise.
This module has what the versions share and 1.x; `influx_setup_two` and `influx_setup_three` have the
others.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from pathlib import Path
from typing import Any, Final

from ingest.database import StoreUnavailable
from ingest.stores.influx_client import UNREADABLE, InfluxClient, InfluxSettings, identifier
from ingest.stores.influx_policies import DEFAULT, Policy, Retention
from language import N_, Message
from links.secret_files import read_secret, write_secret
from readings.measurements import RECORDS, RESOLUTION

PASSWORD_BYTES: Final = 24
_FIRST_ADMINISTRATOR: Final = "create admin user first"
"""What 1.x says to everything while authentication is on and nobody may do anything."""
_HOUR: Final = 3600.0
_DAY: Final = 24 * _HOUR
_UNITS: Final = {"h": _HOUR, "m": 60.0, "s": 1.0}


class CannotSetUp(Exception):
    """Setting up cannot go on; `message` says why and what to do."""

    def __init__(self, message: Message) -> None:
        self.message = message
        super().__init__(str(message))


class State(Enum):
    """How a step of a plan stands."""

    THERE = auto()
    """Nothing to do."""
    MISSING = auto()
    """Will be done."""
    LEFT = auto()
    """Not as wanted, but left alone: doing it would take something away, or is for a person."""


Act = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Step:
    """One thing that should be there. `act` makes it; None where there is nothing to do for us."""

    what: Message
    state: State
    act: Act | None = None


@dataclass(frozen=True)
class Wanted:
    """What should be there in the end."""

    database: str
    retention: Retention
    folder: Path
    """Where the passwords lie, one file each, for this user only."""
    writer: str = "gridwarden"
    reader: str = "grafana"
    shorten: bool = False
    """Whether a policy may lose what is older than wanted."""
    new_passwords: bool = False
    """Whether a user that is there may get another password."""

    def password_file(self, user: str) -> Path:
        """Where the password (2.x and 3: the token) of `user` lies."""
        return self.folder / f"influx-{user}"

    def password(self, user: str) -> str:
        """The password in the user's file; empty when there is none yet. Raises OSError."""
        path = self.password_file(user)
        return read_secret(path) if path.exists() else ""

    def keep_password(self, user: str, password: str) -> None:
        """Write the user's file. Raises OSError."""
        write_secret(self.password_file(user), f"{password}\n")


async def plan(client: InfluxClient, wanted: Wanted) -> list[Step]:
    """The steps for an InfluxDB 1.x; `client` is its administrator.

    Raises `CannotSetUp` when the administrator is refused, `StoreUnavailable` when there is no answer.
    """
    steps: list[Step] = []
    databases: list[str] = []
    users: Mapping[str, bool] = {}
    try:
        databases = _column(await client.query("SHOW DATABASES"), 0)
        users = await _users(client)
    except StoreUnavailable as error:
        if _FIRST_ADMINISTRATOR not in str(error):
            raise
        if not client.settings.user or not client.settings.password:
            text = N_("nobody may administer {url} yet: name the first one and a file with the password")
            raise CannotSetUp(Message(text, {"url": client.settings.url})) from error
        steps.append(_first_administrator(client))
    there = wanted.database in databases
    policies: Mapping[str, tuple[float, bool]] = {}
    if there:
        told = N_("database {database}")
        steps.append(Step(Message(told, {"database": wanted.database}), State.THERE))
        policies = await _policies(client, wanted.database)
    else:
        steps.append(_database(client, wanted))
    retention = _as_found(wanted.retention, policies)
    steps += _keeping(client, wanted, retention, policies)
    for user, right in ((wanted.writer, "ALL"), (wanted.reader, "READ")):
        steps += await _user(client, wanted, user, right, administrator=users.get(user))
    steps.append(await _resolution(client, retention, there=RECORDS in policies))
    if await lets_in(client.settings, "", ""):
        everybody = N_(
            "whoever reaches it may do everything: set auth-enabled = true under [http] in its settings"
        )
        steps.append(Step(Message(everybody), State.LEFT))
    return steps


def _first_administrator(client: InfluxClient) -> Step:
    settings = client.settings

    async def act() -> None:
        # before there is one, the server takes this from anybody, and only without credentials
        nobody = InfluxClient(replace(settings, user="", password=""))
        name, password = identifier(settings.user), text_literal(settings.password)
        try:
            await nobody.query(
                f"CREATE USER {name} WITH PASSWORD {password} WITH ALL PRIVILEGES", change=True
            )
        finally:
            await nobody.close()

    return Step(Message(N_("the first administrator, {user}"), {"user": settings.user}), State.MISSING, act)


async def make_database(client: InfluxClient, retention: Retention = DEFAULT) -> None:
    """Make the client's database with its policies (1.x); raises `StoreUnavailable` when its user may not."""
    database = client.settings.database
    statements = [_new_database(database, retention.raw)]
    statements += [_new_policy(database, policy) for policy in retention.policies[1:]]
    await client.query(";".join(statements), change=True)
    await client.write("\n".join(retention.resolution_lines()).encode(), policy=RECORDS)


def _new_database(name: str, raw: Policy) -> str:
    database = f"CREATE DATABASE {identifier(name)} WITH DURATION {_duration(raw)} REPLICATION 1"
    return f"{database} NAME {identifier(raw.name)}"


def _new_policy(database: str, policy: Policy) -> str:
    made = f"CREATE RETENTION POLICY {identifier(policy.name)} ON {identifier(database)}"
    return f"{made} DURATION {_duration(policy)} REPLICATION 1"


def _database(client: InfluxClient, wanted: Wanted) -> Step:
    name, raw = wanted.database, wanted.retention.raw

    async def act() -> None:
        await client.query(_new_database(name, raw), change=True)

    text = N_("database {database}; readings are kept for {time}")
    return Step(Message(text, {"database": name, "time": kept(raw.days)}), State.MISSING, act)


def _as_found(wanted: Retention, policies: Mapping[str, tuple[float, bool]]) -> Retention:
    """`wanted` with the name of the policy that the database has for readings already."""
    default = next((name for name, (_, chosen) in policies.items() if chosen), wanted.raw.name)
    return replace(wanted, raw=Policy(default, wanted.raw.days))


def _keeping(
    client: InfluxClient, wanted: Wanted, retention: Retention, policies: Mapping[str, tuple[float, bool]]
) -> list[Step]:
    steps: list[Step] = []
    for policy in retention.policies:
        values: dict[str, object] = {"policy": policy.name, "time": kept(policy.days)}
        found = policies.get(policy.name)
        if found is None:
            if policy.name != retention.raw.name or policies:
                text = N_("policy {policy}, which keeps for {time}")
                steps.append(Step(Message(text, values), State.MISSING, _make(client, wanted, policy)))
            continue
        days = found[0]
        values["now"] = kept(days)
        if _lasts(days) == _lasts(policy.days):
            text = N_("policy {policy}, which keeps for {time}")
            steps.append(Step(Message(text, values), State.THERE))
        elif _lasts(days) < _lasts(policy.days) or wanted.shorten:
            text = N_("policy {policy} keeps for {time} instead of {now}")
            steps.append(Step(Message(text, values), State.MISSING, _change(client, wanted, policy)))
        else:
            text = N_("policy {policy} keeps for {now}, longer than {time}: --shorten would remove the rest")
            steps.append(Step(Message(text, values), State.LEFT))
    return steps


def _make(client: InfluxClient, wanted: Wanted, policy: Policy) -> Act:
    async def act() -> None:
        await client.query(_new_policy(wanted.database, policy), change=True)

    return act


def _change(client: InfluxClient, wanted: Wanted, policy: Policy) -> Act:
    async def act() -> None:
        await client.query(
            f"ALTER RETENTION POLICY {identifier(policy.name)} ON {identifier(wanted.database)}"
            f" DURATION {_duration(policy)}",
            change=True,
        )

    return act


async def _user(
    client: InfluxClient, wanted: Wanted, user: str, right: str, *, administrator: bool | None
) -> list[Step]:
    """`administrator`: whether it is one; None: there is no such user."""
    known = administrator is not None
    file = wanted.password_file(user)
    password = wanted.password(user)
    values: dict[str, object] = {"user": user, "file": file, "database": wanted.database}

    async def make() -> None:
        new = password or secrets.token_urlsafe(PASSWORD_BYTES)
        wanted.keep_password(user, new)
        name = identifier(user)
        verb = f"SET PASSWORD FOR {name} =" if known else f"CREATE USER {name} WITH PASSWORD"
        await client.query(f"{verb} {text_literal(new)}", change=True)

    async def grant() -> None:
        database, name = identifier(wanted.database), identifier(user)
        await client.query(f"GRANT {right} ON {database} TO {name}", change=True)

    steps: list[Step] = []
    if not known:
        steps.append(Step(Message(N_("user {user}, its password in {file}"), values), State.MISSING, make))
    elif password and await lets_in(client.settings, user, password):
        steps.append(Step(Message(N_("user {user}, its password in {file}"), values), State.THERE))
    elif wanted.new_passwords:
        text = N_("user {user} gets a new password, in {file}")
        steps.append(Step(Message(text, values), State.MISSING, make))
    else:
        text = N_(
            "user {user} is there, with a password that is not in {file}: "
            "put it there, or use --new-passwords"
        )
        steps.append(Step(Message(text, values), State.LEFT))
    if administrator:
        text = N_("{user} is an administrator, which is more than it should be: use another user")
        return [*steps, Step(Message(text, values), State.LEFT)]
    told = N_("{user} may read and write {database}") if right == "ALL" else N_("{user} may read {database}")
    has = known and await _has_right(client, user, wanted.database, right)
    steps.append(Step(Message(told, values), State.THERE if has else State.MISSING, None if has else grant))
    return steps


async def _resolution(client: InfluxClient, retention: Retention, *, there: bool) -> Step:
    lines = retention.resolution_lines()
    text = Message(N_("which policy charts use for which span of time"))
    table = f"{identifier(RECORDS)}.{identifier(RESOLUTION)}"
    if there:
        try:
            (result,) = await client.query(f'SELECT "policy" FROM {table} GROUP BY "of"')  # noqa: S608
            found = {one["tags"]["of"]: one["values"][0][1] for one in result.get("series", ())}
        except UNREADABLE as error:
            raise client.unreadable(error) from error
        if found == {"raw": retention.raw.name, "minute": retention.minute.name, "hour": retention.hour.name}:
            return Step(text, State.THERE)

    async def act() -> None:
        await client.write("\n".join(lines).encode(), policy=RECORDS)

    return Step(text, State.MISSING, act)


async def _policies(client: InfluxClient, database: str) -> dict[str, tuple[float, bool]]:
    """Days (0: for ever) and whether it is the default, by name."""
    (result,) = await client.query(f"SHOW RETENTION POLICIES ON {identifier(database)}")
    try:
        rows = result["series"][0]["values"]
        return {str(name): (_seconds(length) / _DAY, bool(default)) for name, length, _, _, default in rows}
    except UNREADABLE as error:
        raise client.unreadable(error) from error


async def _users(client: InfluxClient) -> dict[str, bool]:
    """Whether each user is an administrator."""
    (result,) = await client.query("SHOW USERS")
    try:
        return {str(name): bool(admin) for name, admin in result["series"][0].get("values", ())}
    except UNREADABLE as error:
        raise client.unreadable(error) from error


async def _has_right(client: InfluxClient, user: str, database: str, right: str) -> bool:
    (result,) = await client.query(f"SHOW GRANTS FOR {identifier(user)}")
    try:
        rights = {str(name): str(told) for name, told in result["series"][0].get("values", ())}
    except UNREADABLE as error:
        raise client.unreadable(error) from error
    return rights.get(database, "").split()[:1] == [right]


async def lets_in(settings: InfluxSettings, user: str, password: str) -> bool:
    """Whether the server knows the user by this password; raises `StoreUnavailable` without an answer."""
    client = InfluxClient(replace(settings, user=user, password=password))
    try:
        await client.query("SHOW DATABASES")
    except StoreUnavailable as error:
        if error.operator:
            return False
        raise
    finally:
        await client.close()
    return True


def text_literal(text: str) -> str:
    """A quoted InfluxQL string: a password cannot be bound as a parameter."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


def kept(days: float) -> Message:
    """How long, for people."""
    if not days:
        return Message(N_("ever"))
    return Message(N_("{days} {days|day|days}"), {"days": int(days) if days == int(days) else days})


def _column(results: Sequence[Mapping[str, Any]], number: int) -> list[str]:
    return [str(row[number]) for one in results[0].get("series", ()) for row in one.get("values", ())]


def _lasts(days: float) -> float:
    return round(days * _DAY) if days else float("inf")


def _duration(policy: Policy) -> str:
    """As InfluxQL writes it."""
    return f"{round(policy.days * _DAY)}s" if policy.days else "INF"


def _seconds(length: str) -> float:
    """What 1.x says of a duration: ``2160h0m0s``; 0: for ever. Raises ValueError."""
    total, number = 0.0, ""
    for character in length:
        if character in _UNITS:
            total += float(number) * _UNITS[character]
            number = ""
        else:
            number += character
    return total
