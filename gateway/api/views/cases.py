"""Cases, and what people do with them."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final

from cases.actions import parse
from cases.case import Action, Case, Refused
from cases.lifecycle import available_actions
from cases.store import CaseFile, CaseFilter, StoreUnavailable
from gateway.api import schemas
from gateway.api.forms import Forms
from gateway.api.problems import Conflict, NotFound
from gateway.api.showing import maybe_instant
from gateway.api.surroundings import neighbours
from gateway.api.views.context import Context, Paging, unavailable
from language import translator
from rules.findings import Evidence

NEAR: Final = 50
"""Cases of the same widest grid that a duplicate's form offers."""

Act = Callable[[str, Action], Awaitable[None]]


class CaseViews:
    """The case list, one case, its actions."""

    def __init__(self, context: Context, act: Act) -> None:
        self._context = context
        self._act = act

    async def page(self, chosen: CaseFilter, paging: Paging) -> schemas.CasePage:
        """The case list."""
        now = self._context.clock()

        def ask() -> schemas.CasePage:
            with self._context.store.reading() as reading:
                page = reading.cases(chosen, now, paging.after, paging.limit)
            items = [self._context.showing.case(case, now) for case in page.items]
            return schemas.CasePage(items=items, total=page.total, next=page.next)

        return await self._context.ask(ask)

    async def one(self, number: str, language: str) -> schemas.CaseDetail:
        """One case's page."""

        def ask() -> tuple[CaseFile, list[Case]]:
            with self._context.store.reading() as reading:
                file = reading.case(number)
                if file is None:
                    raise NotFound(f"case {number}")
                near = CaseFilter(grid=next(filter(None, file.case.grids), ""))
                return file, reading.cases(near, limit=NEAR).items

        return self._shown(*await self._context.ask(ask), language)

    def _shown(self, file: CaseFile, near: Sequence[Case], language: str) -> schemas.CaseDetail:
        case, say, now = file.case, translator(language), self._context.clock()
        names = self._context.showing.names
        forms = Forms(self._context.site, names, language, near)
        readings: dict[Evidence, None] = {one: None for row in file.evidence for one in row.readings}
        return schemas.CaseDetail(
            **self._context.showing.case_fields(case, now),
            closing_standard=dict(case.terms.closing_standard),
            accept_by=maybe_instant(case.accept_by),
            history=[self._context.showing.entry(row.number, row.entry, language) for row in file.history],
            alarm_list=[self._context.showing.alarm(alarm) for alarm in file.alarms],
            evidence=[self._context.showing.evidence(one) for one in readings],
            nearby=self._nearby(case.place, {(one.device, one.point) for one in readings}),
            actions=[
                schemas.ActionOut(
                    action=action.act.value,
                    label=say(action.label),
                    to=action.to.value,
                    roles=list(action.roles),
                    needs=list(action.needs),
                    fields=forms.fields(case, action),
                    refused=say(names.message(action.refused, language)) if action.refused else "",
                )
                for action in available_actions(case, None, now)
            ],
            rework=case.rework,
        )

    def _nearby(self, place: str, known: Collection[tuple[str, str]]) -> list[schemas.NearbyOut]:
        return [
            schemas.NearbyOut(
                device=device.id,
                device_name=self._context.showing.name_of(device.id),
                point=point.name,
                device_class=point.device_class or "",
            )
            for device, point in neighbours(self._context.site, place, known)
        ]

    async def act(self, number: str, action: schemas.CaseAction, language: str) -> schemas.CaseDetail:
        """Do something with a case."""
        await self.one(number, language)
        actor = self._context.actor(action.actor)
        try:
            parsed = parse(
                action.action,
                actor,
                self._context.site.zone,
                on_behalf_of=action.on_behalf_of,
                reason=action.reason,
                note=action.note,
                evidence=action.evidence,
                values=action.values,
            )
            await self._act(number, parsed)
        except Refused as refused:
            names = self._context.showing.names
            raise Conflict(names.message(refused.message, language)) from refused
        except StoreUnavailable as error:
            raise unavailable(error) from error
        return await self.one(number, language)
