"""Setting up an InfluxDB: 1.6.7 itself, 2.x and 3 by what their documentation says they answer."""

import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from ingest.database import StoreUnavailable
from ingest.stores.influx_client import InfluxClient, InfluxSettings, QueryFailed
from ingest.stores.influx_policies import DEFAULT, Retention
from ingest.stores.influx_setup import CannotSetUp, State, Step, Wanted, make_database, plan
from ingest.stores.influx_setup_three import READINGS_POLICY, SetupThree
from ingest.stores.influx_setup_two import Administrator, SetupTwo
from ingest.stores.influx_versions import Version, generation
from readings.measurements import RAW
from tests.conftest import ServerProcess, influx_query, influxdb
from tests.ingest.influx_generations import Three, Two


@pytest.fixture
def wanted(tmp_path: Path) -> Wanted:
    return Wanted("gw", DEFAULT, tmp_path / "secrets")


@pytest.fixture
async def admin(influx_server: ServerProcess) -> AsyncIterator[InfluxClient]:
    client = InfluxClient(InfluxSettings(influx_server.url, "gw", "admin", "secret"))
    yield client
    await client.close()


def told(steps: list[Step], state: State) -> list[str]:
    return [str(step.what) for step in steps if step.state is state]


async def do(steps: list[Step]) -> None:
    for step in steps:
        if step.act is not None:
            await step.act()


def policies(server: ServerProcess) -> dict[str, tuple[str, bool]]:
    (result,) = influx_query(server, "SHOW RETENTION POLICIES ON gw")
    return {row[0]: (row[1], row[4]) for row in result["series"][0]["values"]}


async def may(server: ServerProcess, wanted: Wanted, user: str, statement: str) -> bool:
    client = InfluxClient(InfluxSettings(server.url, "gw", user, wanted.password(user)))
    try:
        await client.query(statement, change=True)
    except (StoreUnavailable, QueryFailed):
        return False
    finally:
        await client.close()
    return True


async def test_an_empty_server_becomes_ready_and_a_second_look_finds_nothing_to_do(
    influx_server: ServerProcess, admin: InfluxClient, wanted: Wanted
) -> None:
    first = await plan(admin, wanted)
    assert {step.state for step in first} == {State.MISSING}
    assert not influx_query(influx_server, "SHOW DATABASES")[0]["series"][0].get("values")  # only looked

    await do(first)
    assert policies(influx_server) == {
        "raw": ("2160h0m0s", True),
        "minute": ("17520h0m0s", False),
        "hour": ("0s", False),
        "records": ("0s", False),
    }
    again = await plan(admin, wanted)
    assert {step.state for step in again} == {State.THERE}, told(again, State.MISSING)
    for user in ("gridwarden", "grafana"):
        assert stat.S_IMODE(wanted.password_file(user).stat().st_mode) == 0o600


async def test_each_user_may_do_what_it_is_for_and_no_more(
    influx_server: ServerProcess, admin: InfluxClient, wanted: Wanted
) -> None:
    await do(await plan(admin, wanted))
    assert await may(influx_server, wanted, "gridwarden", "DROP SERIES FROM smoke")
    assert not await may(influx_server, wanted, "gridwarden", "CREATE DATABASE other")
    assert await may(influx_server, wanted, "grafana", "SHOW MEASUREMENTS")
    assert not await may(influx_server, wanted, "grafana", "DROP SERIES FROM smoke")
    assert not await may(influx_server, wanted, "grafana", "SHOW USERS")


async def test_a_server_without_any_user_gets_its_first_administrator(tmp_path: Path, wanted: Wanted) -> None:
    with influxdb(tmp_path / "influx", administrator=False) as server:
        nobody = InfluxClient(InfluxSettings(server.url, "gw"))
        with pytest.raises(CannotSetUp, match="name the first one"):
            await plan(nobody, wanted)
        await nobody.close()
        client = InfluxClient(InfluxSettings(server.url, "gw", "root 'of' all", 'it\'s \\ "quoted"'))
        steps = await plan(client, wanted)
        assert told(steps, State.MISSING)[0] == "the first administrator, root 'of' all"
        await do(steps)
        assert {step.state for step in await plan(client, wanted)} == {State.THERE}
        await client.close()


async def test_what_a_database_keeps_for_longer_is_not_thrown_away_unasked(
    influx_server: ServerProcess, admin: InfluxClient, wanted: Wanted
) -> None:
    influx_query(
        influx_server, "CREATE DATABASE gw; CREATE RETENTION POLICY minute ON gw DURATION 1d REPLICATION 1"
    )
    steps = await plan(admin, wanted)
    (left,) = told(steps, State.LEFT)
    assert left.startswith("policy autogen keeps for ever, longer than 90 days: --shorten")
    assert "policy minute keeps for 730 days instead of 1 day" in told(steps, State.MISSING)
    await do(steps)
    assert policies(influx_server)["autogen"] == ("0s", True)
    assert RAW not in policies(influx_server)
    (chosen,) = influx_query(influx_server, 'SELECT "policy" FROM gw.records.resolution WHERE "of" = \'raw\'')
    assert chosen["series"][0]["values"][0][1] == "autogen"

    shorter = Wanted("gw", DEFAULT, wanted.folder, shorten=True)
    await do(await plan(admin, shorter))
    assert policies(influx_server)["autogen"] == ("2160h0m0s", True)


async def test_a_password_that_is_not_ours_is_left_alone_unless_a_new_one_is_wanted(
    influx_server: ServerProcess, admin: InfluxClient, wanted: Wanted
) -> None:
    influx_query(influx_server, "CREATE USER grafana WITH PASSWORD 'theirs'")
    (left,) = told(await plan(admin, wanted), State.LEFT)
    assert left.startswith("user grafana is there, with a password that is not in")
    new = Wanted("gw", DEFAULT, wanted.folder, new_passwords=True)
    await do(await plan(admin, new))
    assert {step.state for step in await plan(admin, wanted)} == {State.THERE}


async def test_a_writer_that_is_an_administrator_is_remarked(admin: InfluxClient, tmp_path: Path) -> None:
    wanted = Wanted("gw", DEFAULT, tmp_path, writer="admin")
    wanted.keep_password("admin", "secret")
    (left,) = told(await plan(admin, wanted), State.LEFT)
    assert left == "admin is an administrator, which is more than it should be: use another user"


async def test_a_wrong_password_of_the_administrator_is_told(
    influx_server: ServerProcess, wanted: Wanted
) -> None:
    client = InfluxClient(InfluxSettings(influx_server.url, "gw", "admin", "wrong"))
    with pytest.raises(StoreUnavailable, match="refuses user 'admin'"):
        await plan(client, wanted)
    await client.close()


async def test_a_server_that_lets_everybody_in_is_remarked(tmp_path: Path, wanted: Wanted) -> None:
    with influxdb(tmp_path / "influx", administrator=False, authentication=False) as server:
        client = InfluxClient(InfluxSettings(server.url, "gw"))
        await do(await plan(client, wanted))
        steps = await plan(client, wanted)
        assert told(steps, State.MISSING) == []
        assert told(steps, State.LEFT)[-1].startswith("whoever reaches it may do everything")
        await client.close()


async def test_the_policy_of_a_span_is_found_with_one_question(
    influx_server: ServerProcess, admin: InfluxClient
) -> None:
    await make_database(admin)
    for days, expected in (
        (0, "raw"),
        (2, "raw"),
        (2.5, "minute"),
        (60, "minute"),
        (61, "hour"),
        (9000, "hour"),
    ):
        span = round(days * 86_400_000)
        (found,) = influx_query(
            influx_server,
            f'SELECT "policy" FROM gw.records.resolution WHERE "from" < {span} - 0 AND "to" >= {span} - 0',
        )
        assert [row[1] for row in found["series"][0]["values"]] == [expected]


# ------------------------------------------------------------------------------------------------ 2.x and 3


@pytest.fixture
def two() -> Iterator[Two]:
    server = Two()
    yield server
    server.close()


@pytest.fixture
def three() -> Iterator[Three]:
    server = Three()
    yield server
    server.close()


async def test_two_gets_buckets_mappings_and_tokens_once(two: Two, wanted: Wanted) -> None:
    setup = SetupTwo(Administrator(two.url, "binhu", "all-access"), wanted)
    await do(await setup.plan())
    keeping = {one["name"]: one["retentionRules"] for one in two.buckets.values()}
    assert [*keeping] == ["gw/raw", "gw/minute", "gw/hour", "gw/records"]
    assert keeping["gw/raw"][0]["everySeconds"] == 90 * 86_400
    assert keeping["gw/hour"] == []
    assert [(one["retention_policy"], one["default"]) for one in two.mappings] == [
        ("raw", True), ("minute", False), ("hour", False), ("records", False),
    ]  # fmt: skip
    assert two.written[0][:2] == ("gw", "records")
    rights = {
        user: {(one["action"], one["resource"]["id"]) for one in two.tokens[wanted.password(user)]}
        for user in ("gridwarden", "grafana")
    }
    assert rights["grafana"] == {("read", bucket) for bucket in two.buckets}
    assert rights["gridwarden"] == rights["grafana"] | {("write", bucket) for bucket in two.buckets}

    before = [*two.changes]
    again = await setup.plan()
    assert told(again, State.MISSING) == ["which policy charts use for which span of time"]
    await do(again)
    assert two.changes == before
    setup.close()


async def test_two_keeps_what_it_keeps_for_longer(two: Two, wanted: Wanted) -> None:
    two.buckets["0"] = {"id": "0", "orgID": f"{15:016x}", "name": "gw/raw", "retentionRules": []}
    setup = SetupTwo(Administrator(two.url, "binhu", "all-access"), wanted)
    assert told(await setup.plan(), State.LEFT) == [
        "bucket gw/raw keeps for ever, longer than 90 days: --shorten would remove the rest"
    ]
    setup.close()
    setup = SetupTwo(
        Administrator(two.url, "binhu", "all-access"), Wanted("gw", DEFAULT, wanted.folder, shorten=True)
    )
    await do(await setup.plan())
    assert two.buckets["0"]["retentionRules"][0]["everySeconds"] == 90 * 86_400
    setup.close()


@pytest.mark.parametrize(
    ("org", "token", "why"),
    [("", "all-access", "wants the organisation"), ("other", "all-access", "no organisation 'other'"),
     ("binhu", "wrong", "answers 401: unauthorized access")],
)  # fmt: skip
async def test_two_says_what_it_lacks(two: Two, wanted: Wanted, org: str, token: str, why: str) -> None:
    setup = SetupTwo(Administrator(two.url, org, token), wanted)
    with pytest.raises(CannotSetUp, match=why):
        await setup.plan()
    setup.close()


async def test_three_gets_a_database_and_named_tokens_once(three: Three, tmp_path: Path) -> None:
    wanted = Wanted("gw", Retention.of(raw_name=READINGS_POLICY), tmp_path)
    setup = SetupThree(three.url, "operator", wanted)
    await do(await setup.plan())
    assert three.databases["gw"]["retention_period"] == "2160h"
    assert wanted.password("grafana") == "apiv3_gw-grafana"
    (database, policy, lines) = three.written[0]
    assert (database, policy) == ("gw", "records")
    assert 'of=raw policy="autogen"' in lines

    before = [*three.changes]
    await do(await setup.plan())
    assert three.changes == before
    await setup.close()


async def test_three_without_a_token_says_so(three: Three, wanted: Wanted) -> None:
    setup = SetupThree(three.url, "", wanted)
    with pytest.raises(CannotSetUp, match="wants a file with an administrator's token"):
        await setup.plan()
    await setup.close()


def test_a_server_says_which_generation_it_is() -> None:
    assert [generation(text) for text in ("1.6.7~rc0", "v2.7.11", "3.1.0", "", "unknown", "9.1")] == [
        Version.ONE, Version.TWO, Version.THREE, None, None, None,
    ]  # fmt: skip
