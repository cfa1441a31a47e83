"""Alembic's entry: runs the steps inside the connection that `OperationsStore.migrate` gives.

There is no configuration file and no connection of its own, so a migration can never touch another
database than the one the program has open.
"""

from collections.abc import Callable

from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo

from cases.store.schema import METADATA
from language import N_, Message


def _told(progress: Callable[[Message], None]) -> Callable[..., None]:
    def on_version_apply(*, ctx: MigrationContext, step: MigrationInfo, **rest: object) -> None:
        template = (
            N_("Database brought up to {revision}.")
            if step.is_upgrade
            else N_("Database taken back from {revision}.")
        )
        progress(Message(template, {"revision": step.up_revision_id}))

    return on_version_apply


def run() -> None:
    """Run the steps that are asked for, in the caller's transaction."""
    attributes = context.config.attributes
    context.configure(
        connection=attributes["connection"],
        target_metadata=METADATA,
        on_version_apply=_told(attributes["progress"]),
    )
    context.run_migrations()


run()
