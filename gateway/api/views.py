"""What the API answers: questions put to the stores, answers turned into schemas.

Databases are read in threads. Each group of questions is a class; `Views` is what the routes hold.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeVar

from cases.actions import parse
from cases.case import Action, Actor, Refused, actor_of
from cases.lifecycle import available_actions
from cases.store import AlarmFilter, CaseFilter, OperationsStore, StoreUnavailable
from cases.store.shapes import CaseFile, Tally
from cases.store.shapes import Changed as Recent
from gateway.api import schemas
from gateway.api.problems import Conflict, NotFound, Unavailable
from gateway.api.showing import Showing, instant, maybe_instant, shown_value
from gateway.freshness import Freshness
from gateway.live import LiveFeed, Subscription
from gateway.rule_runner import Changed
from gateway.status import Status
from ingest.stores import History
from ingest.stores import StoreUnavailable as ReadingsUnavailable
from language import N_, Message, translator
from registry.devices import Device
from registry.site import Site
from rules.commands import Acknowledge, Reset
from rules.commands import Refused as CommandRefused
from rules.explain import explain
from rules.findings import Evidence, Severity

CHANGES: Final = 50
BURNING: Final = 20
HOUR: Final = 3600 * 1_000_000_000

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Paging:
    """Which part of a list."""

    after: str
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFilter:
    """Which devices; empty means any."""

    grid: str = ""
    device_class: str = ""
    state: schemas.DeviceState | None = None
    place: str = ""
    text: str = ""


class Views:
    """Everything the routes may ask."""

    def __init__(
        self,
        showing: Showing,
        store: OperationsStore,
        readings: History,
        freshness: Freshness,
        feed: LiveFeed,
        status: Status,
        command: Callable[[Acknowledge | Reset], Awaitable[None]],
        act: Callable[[str, Action], Awaitable[None]],
        version: str,
        *,
        revision: str,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.showing = showing
        self.revision = revision
        self._store = store
        self._readings = readings
        self._freshness = freshness
        self._feed = feed
        self._status = status
        self._command = command
        self._act = act
        self._version = version
        self._clock = clock
        self._overview: tuple[int, schemas.OverviewOut] | None = None
        self._overview_turn = asyncio.Lock()

    @property
    def _site(self) -> Site:
        return self.showing.site

    # ---------------------------------------------------------------------------------------- site

    def site(self, language: str) -> schemas.SiteOut:
        """The community."""
        site, say = self._site, translator(language)
        return schemas.SiteOut(
            name=dict(site.name),
            timezone=site.timezone,
            languages=list(site.languages),
            revision=self.revision,
            version=self._version,
            grids=[
                schemas.GridOut(
                    id=grid.id,
                    name=dict(grid.name),
                    kind=grid.kind,
                    level=grid.level,
                    parent=grid.parent,
                    officer=grid.officer,
                )
                for grid in site.grids.values()
            ],
            people=[person for one in site.people.values() if (person := self.showing.person(one))],
            categories=[
                schemas.CategoryOut(
                    id=category.id,
                    label=dict(category.label),
                    closing_standard=dict(category.closing_standard),
                )
                for category in site.categories.values()
            ],
            rules=[
                schemas.RuleOut(
                    id=rule.id,
                    version=rule.version,
                    label=self.showing.rule_label(rule.id),
                    severity=rule.steps[0].severity if rule.steps else rule.severity,
                    sentence=say(explain(rule, language)),
                )
                for rule in self.showing.rules.values()
            ],
            devices=len(site.devices),
        )

    async def overview(self) -> schemas.OverviewOut:
        """The overview; at most one is worked out a second, however many ask."""
        async with self._overview_turn:
            now = self._clock()
            if self._overview is None or now - self._overview[0] > 1_000_000_000:
                self._overview = (now, await self._ask(lambda: self._make_overview(now)))
            return self._overview[1]

    def _make_overview(self, now: int) -> schemas.OverviewOut:
        site = self._site
        with self._store.reading() as ask:
            totals, tallies, changed = ask.totals(now), ask.tallies(now), ask.last_changes(CHANGES)
            worst = AlarmFilter(severities=(Severity.CRITICAL, Severity.HIGH))
            burning = [self.showing.alarm(alarm) for alarm in ask.alarms(worst, limit=BURNING).items]
            changes = [change for one in changed if (change := self._change(ask, one))]
        silent, never = self._freshness.silent(site, now)
        counts: dict[str, list[int]] = {grid: [0, 0] for grid in site.grids}
        for device in site.devices.values():
            for grid in site.grid_path(device.place):
                counts[grid.id][0] += 1
                counts[grid.id][1] += device.id in silent
        tiles = []
        for grid_id, (devices, quiet) in counts.items():
            tally = tallies.get(grid_id, Tally(grid_id))
            tiles.append(
                schemas.Tile(
                    grid=grid_id,
                    worst=tally.worst,
                    alarms=tally.alarms,
                    unacknowledged=tally.unacknowledged,
                    cases=tally.cases,
                    overdue=tally.overdue,
                    devices=devices,
                    silent=quiet,
                )
            )
        edges, down = self._status.edges_down(site, now)
        return schemas.OverviewOut(
            time=instant(now),
            totals=schemas.Totals(
                alarms=totals.alarms,
                unacknowledged=totals.unacknowledged,
                cases_open=totals.cases,
                cases_unaccepted=totals.unaccepted,
                cases_overdue=totals.overdue,
                devices=len(site.devices),
                silent=len(silent),
                never_heard=len(never),
                edges=edges,
                edges_down=down,
            ),
            tiles=tiles,
            changes=changes,
            burning=burning,
        )

    def _change(self, ask: Any, changed: Recent) -> schemas.Change | None:
        if changed.kind == "alarm":
            found = ask.alarm(changed.id)
            if found is None:
                return None
            alarm, findings = found
            shown = self.showing.alarm(alarm)
            return schemas.Change(
                time=instant(changed.time),
                kind="alarm",
                id=alarm.id,
                what=findings[-1].kind.value if findings else alarm.condition.value,
                severity=alarm.severity,
                title=shown.rule_label,
                place=shown.device_name,
                grid=shown.grid,
                person=alarm.acknowledged_by,
            )
        file = ask.case(changed.id, evidence=0, alarms=0)
        if file is None:
            return None
        shown_case = self.showing.case(file.case, 0)
        return schemas.Change(
            time=instant(changed.time),
            kind="case",
            id=file.case.id,
            what=file.case.state.value,
            title=shown_case.title,
            place=shown_case.place_name,
            grid=shown_case.grid,
            person=shown_case.officer.name if shown_case.officer else "",
        )

    # ------------------------------------------------------------------------------------- devices

    async def devices(self, chosen: DeviceFilter, paging: Paging) -> schemas.DevicePage:
        """Devices in trouble first: alarms by severity, then silent ones, then by id."""
        worst = await self._worst_by_device()
        now = self._clock()
        silent, never = self._freshness.silent(self._site, now)
        found = [
            device for device in self._site.devices.values() if self._matches(device, chosen, silent, never)
        ]
        found.sort(key=lambda d: (worst[d.id].rank if d.id in worst else 9, d.id not in silent, d.id))
        start = int(paging.after) if paging.after.isdecimal() else 0
        page = found[start : start + paging.limit]
        following = start + paging.limit
        return schemas.DevicePage(
            items=[schemas.DeviceOut(**self._device(device, silent, never, worst)) for device in page],
            total=len(found),
            next=str(following) if following < len(found) else None,
        )

    def _matches(self, device: Device, chosen: DeviceFilter, silent: set[str], never: set[str]) -> bool:
        site = self._site
        if chosen.place and device.place != chosen.place:
            return False
        if chosen.device_class and site.type_of(device).device_class != chosen.device_class:
            return False
        if chosen.state is not None and chosen.state is not _state(device.id, silent, never):
            return False
        if chosen.grid and all(grid.id != chosen.grid for grid in site.grid_path(device.place)):
            return False
        if chosen.text:
            place = site.place_of(device)
            haystack = " ".join(
                (device.id, device.name, device.source, device.place, place.building, *place.name.values())
            )
            return chosen.text.casefold() in haystack.casefold()
        return True

    def _device(
        self, device: Device, silent: set[str], never: set[str], worst: dict[str, Severity]
    ) -> dict[str, Any]:
        place = self._site.place_of(device)
        return {
            "id": device.id,
            "name": self.showing.device_name(device),
            "type": device.type,
            "device_class": self._site.type_of(device).device_class,
            "place": device.place,
            "place_name": dict(place.name),
            "building": place.building,
            "floor": place.floor,
            "grid": place.grid,
            "edge": device.edge,
            "source": device.source,
            "state": _state(device.id, silent, never),
            "last_heard": maybe_instant(self._freshness.last(device.id)),
            "worst": worst.get(device.id),
        }

    async def _worst_by_device(self) -> dict[str, Severity]:
        def ask() -> dict[str, Severity]:
            found: dict[str, Severity] = {}
            with self._store.reading() as reading:
                for alarm in reading.alarms(limit=5000).items:
                    found.setdefault(alarm.device, alarm.severity)
            return found

        return await self._ask(ask)

    async def device(self, device_id: str) -> schemas.DeviceDetail:
        """One device's page."""
        device = self._known(device_id)
        site = self._site
        kind = site.type_of(device)
        now = self._clock()
        silent, never = self._freshness.silent(site, now)
        worst = await self._worst_by_device()
        latest = (await self.latest([device_id]))[device_id]

        def alarms() -> list[schemas.AlarmOut]:
            with self._store.reading() as ask:
                chosen = AlarmFilter(state="all", device=device_id)
                return [self.showing.alarm(alarm) for alarm in ask.alarms(chosen, limit=20).items]

        return schemas.DeviceDetail(
            **self._device(device, silent, never, worst),
            type_label=dict(kind.label),
            vendor=kind.vendor,
            model=kind.model,
            interval=kind.interval,
            grids=[grid.id for grid in site.grid_path(device.place)],
            officer=self.showing.person(site.officer_of(device.place)),
            points=[self.showing.point(point) for point in kind.points],
            latest=latest,
            alarms=await self._ask(alarms),
        )

    async def latest(self, devices: list[str]) -> dict[str, list[schemas.Value]]:
        """The latest values of some devices."""
        known = {name: self._known(name) for name in devices}
        found: dict[str, list[schemas.Value]] = {name: [] for name in devices}
        for row in await self._history(self._readings.latest(list(known))):
            kind = self._site.type_of(known[row.device])
            found[row.device].append(self.showing.value(kind, row.point, row.row))
        return found

    async def series(
        self, device_id: str, point_id: str, start: datetime | None, end: datetime | None, buckets: int | None
    ) -> schemas.SeriesOut:
        """A point's history."""
        device = self._known(device_id)
        point = self._site.point(device, point_id)
        if point is None:
            raise NotFound(f"point {point_id} of {device_id}")
        until = int(end.timestamp() * 1e9) if end else self._clock()
        since = int(start.timestamp() * 1e9) if start else until - HOUR
        found = await self._history(self._readings.series(device_id, point_id, since, until, buckets=buckets))
        ms = 1_000_000
        summed = buckets is not None and not found.rows
        return schemas.SeriesOut(
            device=device_id,
            point=point_id,
            unit=point.unit,
            kind=point.kind,
            start=since // ms,
            end=until // ms,
            cut=found.cut,
            raw=None if summed else [(row.time // ms, shown_value(row.value)) for row in found.rows],
            buckets=[(one.time // ms, one.minimum, one.maximum, one.mean, one.count) for one in found.buckets]
            if summed
            else None,
        )

    # -------------------------------------------------------------------------------------- alarms

    async def alarms(self, chosen: AlarmFilter, paging: Paging) -> schemas.AlarmPage:
        """The alarm list."""

        def ask() -> schemas.AlarmPage:
            with self._store.reading() as reading:
                page = reading.alarms(chosen, paging.after, paging.limit)
            items = [self.showing.alarm(alarm) for alarm in page.items]
            return schemas.AlarmPage(items=items, total=page.total, next=page.next)

        return await self._ask(ask)

    async def alarm(self, alarm_id: str) -> schemas.AlarmDetail:
        """One alarm with its timeline."""

        def ask() -> schemas.AlarmDetail:
            with self._store.reading() as reading:
                found = reading.alarm(alarm_id)
            if found is None:
                raise NotFound(f"alarm {alarm_id}")
            return self.showing.alarm_detail(*found)

        return await self._ask(ask)

    async def acknowledge(self, alarm_id: str, operation: schemas.Operation) -> schemas.AlarmDetail:
        """Acknowledge the occurrence `alarm_id`."""
        actor = self._actor(operation.actor)
        return await self._operate(alarm_id, lambda alarm: Acknowledge(alarm, actor.id, operation.note))

    async def reset(self, alarm_id: str, operation: schemas.Operation) -> schemas.AlarmDetail:
        """Reset the latched occurrence `alarm_id`."""
        actor = self._actor(operation.actor)
        if not operation.note.strip():
            raise Conflict(Message(N_("A reset needs a note: what was found at the spot.")))
        return await self._operate(alarm_id, lambda alarm: Reset(alarm, actor.id, operation.note))

    async def _operate(
        self, alarm_id: str, command: Callable[[str], Acknowledge | Reset]
    ) -> schemas.AlarmDetail:
        await self.alarm(alarm_id)
        try:
            await self._command(command(alarm_id))
        except CommandRefused as refused:
            raise Conflict(refused.message) from refused
        return await self.alarm(alarm_id)

    # --------------------------------------------------------------------------------------- cases

    async def cases(self, chosen: CaseFilter, paging: Paging) -> schemas.CasePage:
        """The case list."""
        now = self._clock()

        def ask() -> schemas.CasePage:
            with self._store.reading() as reading:
                page = reading.cases(chosen, now, paging.after, paging.limit)
            items = [self.showing.case(case, now) for case in page.items]
            return schemas.CasePage(items=items, total=page.total, next=page.next)

        return await self._ask(ask)

    async def case(self, number: str, language: str) -> schemas.CaseDetail:
        """One case's page."""

        def ask() -> CaseFile:
            with self._store.reading() as reading:
                file = reading.case(number)
            if file is None:
                raise NotFound(f"case {number}")
            return file

        return self._case_page(await self._ask(ask), language)

    def _case_page(self, file: CaseFile, language: str) -> schemas.CaseDetail:
        case, say, now = file.case, translator(language), self._clock()
        readings: dict[Evidence, None] = {one: None for row in file.evidence for one in row.readings}
        return schemas.CaseDetail(
            **self.showing.case_fields(case, now),
            closing_standard=dict(case.terms.closing_standard),
            accept_by=maybe_instant(case.accept_by),
            history=[self.showing.entry(row.number, row.entry, language) for row in file.history],
            alarm_list=[self.showing.alarm(alarm) for alarm in file.alarms],
            evidence=[self.showing.evidence(one) for one in readings],
            actions=[
                schemas.ActionOut(
                    action=action.act.value,
                    label=say(action.label),
                    to=action.to.value,
                    roles=list(action.roles),
                    needs=list(action.needs),
                    refused=say(action.refused) if action.refused else "",
                )
                for action in available_actions(case, None, now)
            ],
            rework=case.rework,
        )

    async def act(self, number: str, action: schemas.CaseAction, language: str) -> schemas.CaseDetail:
        """Do something with a case."""
        await self.case(number, language)
        actor = self._actor(action.actor)
        try:
            parsed = parse(
                action.action,
                actor,
                self._site.zone,
                on_behalf_of=action.on_behalf_of,
                reason=action.reason,
                note=action.note,
                evidence=action.evidence,
                values=action.values,
            )
            await self._act(number, parsed)
        except Refused as refused:
            raise Conflict(refused.message) from refused
        except StoreUnavailable as error:
            raise _unavailable(error) from error
        return await self.case(number, language)

    def tell(self, changed: Changed) -> None:
        """Tell the live feed which alarms and cases changed."""
        self._overview = None
        now = self._clock()
        for alarm in changed.alarms:
            self._feed.tell("alarm", {"alarm": self.showing.alarm(alarm).model_dump(mode="json")})
        for case in changed.cases:
            self._feed.tell("case", {"case": self.showing.case(case, now).model_dump(mode="json")})

    # -------------------------------------------------------------------------------------- system

    async def system(self, language: str) -> schemas.SystemOut:
        """The system page."""
        return await self._status.system(self._site, translator(language), self._clock())

    async def health(self, language: str) -> schemas.HealthOut:
        """For a watchdog."""
        return self._status.health(translator(language))

    async def books(self, limit: int, language: str) -> schemas.BooksOut:
        """The books."""
        try:
            return await self._status.books(limit, translator(language), self._clock())
        except ReadingsUnavailable as error:
            raise _unavailable(error) from error

    async def quarantine(self, limit: int, language: str) -> list[schemas.QuarantineOut]:
        """What could not be understood."""
        return await self._ask(lambda: self._status.quarantine(limit, translator(language)))

    def subscribe(self, devices: frozenset[str], last_event_id: str) -> Subscription:
        """A listener of the live feed."""
        return self._feed.subscribe(devices, last_event_id)

    # -------------------------------------------------------------------------------------- inside

    def _known(self, device_id: str) -> Device:
        device = self._site.devices.get(device_id)
        if device is None:
            raise NotFound(f"device {device_id}")
        return device

    def _actor(self, person_id: str) -> Actor:
        person = self._site.people.get(person_id)
        if person is None:
            raise Conflict(Message(N_("There is no person {person} in this site."), {"person": person_id}))
        grids = tuple(grid.id for grid in self._site.grids.values() if grid.officer == person_id)
        return actor_of(person, grids)

    async def _history(self, question: Coroutine[Any, Any, Answer]) -> Answer:
        try:
            return await question
        except ReadingsUnavailable as error:
            raise _unavailable(error) from error

    async def _ask(self, question: Callable[[], Answer]) -> Answer:
        try:
            return await asyncio.to_thread(question)
        except StoreUnavailable as error:
            raise _unavailable(error) from error


def _unavailable(error: Exception) -> Unavailable:
    message = Message(N_("The database does not answer just now: {reason}"), {"reason": str(error)})
    return Unavailable(message)


def _state(
    device: str, silent: set[str], never: set[str]
) -> Literal[schemas.DeviceState.OK, schemas.DeviceState.SILENT, schemas.DeviceState.NEVER]:
    if device in never:
        return schemas.DeviceState.NEVER
    return schemas.DeviceState.SILENT if device in silent else schemas.DeviceState.OK
