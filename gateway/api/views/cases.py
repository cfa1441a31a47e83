"""Cases, and what people do with them."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from typing import Final

from cases.actions import parse
from cases.case import Action, Actor, Case, Proof, Refused
from cases.lifecycle import available_actions
from cases.proofs import asked
from cases.store import CaseFile, CaseFilter, StoreUnavailable
from gateway.api import schemas
from gateway.api.forms import Forms
from gateway.api.problems import Conflict, NotFound
from gateway.api.showing import instant, maybe_instant
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

    async def one(self, number: str, language: str, actor_id: str = "") -> schemas.CaseDetail:
        """One case's page; with `actor_id` its actions are those of that person."""
        actor = self._context.actor(actor_id) if actor_id else None
        return self._shown(*await self._context.ask(lambda: self._file(number)), language, actor)

    def _file(self, number: str) -> tuple[CaseFile, list[Case]]:
        """A case, and others near it."""
        with self._context.store.reading() as reading:
            file = reading.case(number)
            if file is None:
                raise NotFound(f"case {number}")
            near = CaseFilter(grid=next(filter(None, file.case.grids), ""))
            return file, reading.cases(near, limit=NEAR).items

    def _shown(
        self, file: CaseFile, near: Sequence[Case], language: str, actor: Actor | None
    ) -> schemas.CaseDetail:
        case, showing = file.case, self._context.showing
        readings: dict[Evidence, None] = {one: None for row in file.evidence for one in row.readings}
        proofs = showing.proofs(file)
        return schemas.CaseDetail(
            **showing.case_fields(case, self._context.clock()),
            closing_standard=dict(case.terms.closing_standard),
            accept_by=maybe_instant(case.accept_by),
            history=self._history(file, proofs, language),
            alarm_list=[showing.alarm(alarm) for alarm in file.alarms],
            evidence=[showing.evidence(one) for one in readings],
            wanted=[
                schemas.WantedOut(
                    id=one.wanted.id,
                    label=dict(one.wanted.label),
                    kind=one.wanted.kind,
                    required=one.wanted.required,
                    done=one.done,
                    itself=one.itself,
                )
                for one in asked(case, case.proofs)
            ],
            proofs=proofs,
            nearby=self._nearby(case.place, {(one.device, one.point) for one in readings}),
            actions=self._actions(case, near, language, actor),
            rework=case.rework,
        )

    def _history(
        self, file: CaseFile, proofs: Sequence[schemas.ProofOut], language: str
    ) -> list[schemas.EntryOut]:
        given: defaultdict[tuple[datetime, str], list[schemas.ProofOut]] = defaultdict(list)
        for proof in proofs:
            given[proof.time, proof.actor].append(proof)
        lines = []
        for row in file.history:
            entry = row.entry
            shown = [one for one in given[instant(entry.time), entry.actor] if one.text != entry.note]
            lines.append(self._context.showing.entry(row.number, entry, shown, language))
        return lines

    def _actions(
        self, case: Case, near: Sequence[Case], language: str, actor: Actor | None
    ) -> list[schemas.ActionOut]:
        """What may be done: first by `actor`, then what is only for others."""
        now, say, names = self._context.clock(), translator(language), self._context.showing.names
        forms = Forms(self._context.site, names, language, near)
        mine = available_actions(case, actor, now)
        others = [] if actor is None else available_actions(case, None, now)
        return [
            schemas.ActionOut(
                action=action.act.value,
                label=say(action.label),
                to=action.to.value,
                roles=list(action.roles),
                needs=list(action.needs),
                fields=forms.fields(case, action),
                refused=say(names.message(action.refused, language, case)) if action.refused else "",
                forward=action.forward,
                yours=yours,
            )
            for found, yours in ((mine, True), (others, False))
            for action in found
            if yours or (actor is not None and actor.role not in action.roles)
        ]

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
        file, _ = await self._context.ask(lambda: self._file(number))
        actor = self._context.actor(action.actor)
        try:
            parsed = parse(
                action.action,
                actor,
                self._context.site.zone,
                on_behalf_of=action.on_behalf_of,
                reason=action.reason,
                note=action.note,
                evidence=[Proof(one.kind, one.text, one.want) for one in action.evidence],
                values=action.values,
            )
            await self._act(number, parsed)
        except Refused as refused:
            names = self._context.showing.names
            raise Conflict(names.message(refused.message, language, file.case)) from refused
        except StoreUnavailable as error:
            raise unavailable(error) from error
        return await self.one(number, language, action.actor)
