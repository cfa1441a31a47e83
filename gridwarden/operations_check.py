"""The operations database on a server: whether it answers, which schema it has, and what it promises."""

import time
from collections.abc import Iterator
from contextlib import closing

from sqlalchemy import text

from cases.store import DatabaseTooNew, OperationsStore, StoreUnavailable
from gateway.config import GatewayConfig
from gateway.operations import operations_store
from gridwarden.console_text import tell, translate
from gridwarden.finding import Finding


def check_operations(config: GatewayConfig) -> Iterator[Finding]:
    """Nothing where the database is a file: the gateway tells of that."""
    if config.operations is None:
        return
    with closing(operations_store(config)) as store:
        try:
            yield from _server(store)
            yield from _schema(store)
        except DatabaseTooNew as error:
            yield Finding("bad", translate(error.message))
        except StoreUnavailable as error:
            yield Finding(
                "bad",
                tell("{database} cannot be used: {reason}", database=str(store.database), reason=error),
                tell("Look at its log, at user and password, and at pg_hba.conf."),
            )


def _server(store: OperationsStore) -> Iterator[Finding]:
    before = time.monotonic()
    with store.snapshot() as connection:
        version, durable = connection.execute(
            text("SELECT current_setting('server_version'), current_setting('fsync')")
        ).one()
    what = tell(
        "PostgreSQL {version} answers in {ms} ms: {database}",
        version=version.split()[0],
        ms=f"{(time.monotonic() - before) * 1000:.0f}",
        database=str(store.database),
    )
    yield Finding("good", what)
    if durable != "on":
        yield Finding(
            "bad",
            tell("PostgreSQL runs with fsync = {value}: a power cut costs alarms and cases", value=durable),
            tell("Remove it from postgresql.conf and restart the server."),
        )


def _schema(store: OperationsStore) -> Iterator[Finding]:
    revision, newest = store.revision(), store.newest_revision()
    if revision is None:
        yield Finding(
            "warning",
            tell("the operations database is empty"),
            tell("The gateway sets it up when it starts; or copy one there: gridwarden operations copy"),
        )
        return
    store.refuse_newer()
    if revision == newest:
        yield Finding("good", tell("the operations database has schema {schema}", schema=revision))
    else:
        yield Finding(
            "warning",
            tell(
                "the operations database has schema {schema}, this version needs {newest}",
                schema=revision,
                newest=newest,
            ),
            tell("The gateway brings it up to date when it starts."),
        )
