"""Alarms, and what operators may do about them."""

from collections.abc import Awaitable, Callable

from cases.store import AlarmFilter, StoreUnavailable
from gateway.api import schemas
from gateway.api.problems import Conflict, NotFound
from gateway.api.views.context import Context, Paging, unavailable
from language import N_, Message
from rules.commands import Acknowledge, Refused, Reset

Command = Callable[[Acknowledge | Reset], Awaitable[None]]


class AlarmViews:
    """The alarm list, one alarm, its commands."""

    def __init__(self, context: Context, command: Command) -> None:
        self._context = context
        self._command = command

    async def page(self, chosen: AlarmFilter, paging: Paging) -> schemas.AlarmPage:
        """The alarm list."""

        def ask() -> schemas.AlarmPage:
            with self._context.store.reading() as reading:
                page = reading.alarms(chosen, paging.after, paging.limit)
            items = [self._context.showing.alarm(alarm) for alarm in page.items]
            return schemas.AlarmPage(items=items, total=page.total, next=page.next)

        return await self._context.ask(ask)

    async def one(self, alarm_id: str) -> schemas.AlarmDetail:
        """One alarm with its timeline."""

        def ask() -> schemas.AlarmDetail:
            with self._context.store.reading() as reading:
                found = reading.alarm(alarm_id)
            if found is None:
                raise NotFound(f"alarm {alarm_id}")
            return self._context.showing.alarm_detail(*found)

        return await self._context.ask(ask)

    async def acknowledge(self, alarm_id: str, operation: schemas.Operation) -> schemas.AlarmDetail:
        """Acknowledge the occurrence `alarm_id`."""
        actor = self._context.actor(operation.actor)
        return await self._operate(alarm_id, lambda alarm: Acknowledge(alarm, actor.id, operation.note))

    async def reset(self, alarm_id: str, operation: schemas.Operation) -> schemas.AlarmDetail:
        """Reset the latched occurrence `alarm_id`."""
        actor = self._context.actor(operation.actor)
        if not operation.note.strip():
            raise Conflict(Message(N_("A reset needs a note: what was found at the spot.")))
        return await self._operate(alarm_id, lambda alarm: Reset(alarm, actor.id, operation.note))

    async def _operate(
        self, alarm_id: str, command: Callable[[str], Acknowledge | Reset]
    ) -> schemas.AlarmDetail:
        before = await self.one(alarm_id)
        if not before.open:
            raise Conflict(Message(N_("This alarm is over; nothing is left to be done with it.")))
        try:
            await self._command(command(alarm_id.rpartition("#")[0]))  # the engine knows no occurrences
        except Refused as refused:
            raise Conflict(refused.message) from refused
        except StoreUnavailable as error:
            raise unavailable(error) from error
        return await self.one(alarm_id)
