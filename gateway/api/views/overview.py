"""The overview: worked out at most once a second, however many ask."""

import asyncio
from typing import Final

from cases.store import AlarmFilter, Reading
from cases.store.shapes import Changed as Recent
from cases.store.shapes import Tally
from gateway.api import schemas
from gateway.api.showing import instant
from gateway.api.views.context import Context
from gateway.status import Status
from rules.findings import Severity

CHANGES: Final = 50
BURNING: Final = 20
SECOND: Final = 1_000_000_000


class OverviewViews:
    """Is anything burning, who is on it, what is not being watched."""

    def __init__(self, context: Context, status: Status) -> None:
        self._context = context
        self._status = status
        self._made: tuple[int, schemas.OverviewOut] | None = None
        self._turn = asyncio.Lock()

    async def show(self) -> schemas.OverviewOut:
        """The overview; at most one is worked out a second, however many ask."""
        async with self._turn:
            now = self._context.clock()
            if self._made is None or now - self._made[0] > SECOND:
                self._made = (now, await self._context.ask(lambda: self._make(now)))
            return self._made[1]

    def _make(self, now: int) -> schemas.OverviewOut:
        site = self._context.site
        with self._context.store.reading() as ask:
            totals, tallies, changed = ask.totals(now), ask.tallies(now), ask.last_changes(CHANGES)
            worst = AlarmFilter(severities=(Severity.CRITICAL, Severity.HIGH))
            burning = [self._context.showing.alarm(alarm) for alarm in ask.alarms(worst, limit=BURNING).items]
            changes = [change for one in changed if (change := self._change(ask, one))]
        silent, never = self._context.freshness.silent(site, now)
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
                over=totals.over,
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

    def _change(self, ask: Reading, changed: Recent) -> schemas.Change | None:
        if changed.kind == "alarm":
            found = ask.alarm(changed.id)
            if found is None:
                return None
            alarm, findings = found
            shown = self._context.showing.alarm(alarm)
            return schemas.Change(
                time=instant(changed.time),
                kind="alarm",
                id=alarm.id,
                what=findings[-1].kind.value if findings else alarm.condition.value,
                severity=alarm.severity,
                title=shown.rule_label,
                place=shown.place_name,
                grid=shown.grid,
                person=self._context.showing.names.holder(alarm.acknowledged_by),
            )
        file = ask.case(changed.id, evidence=0, alarms=0)
        if file is None:
            return None
        shown_case = self._context.showing.case(file.case, 0)
        return schemas.Change(
            time=instant(changed.time),
            kind="case",
            id=file.case.id,
            what=file.case.state.value,
            title=shown_case.title,
            place=shown_case.place_name,
            grid=shown_case.grid,
            person=shown_case.holder_name,
        )

    def forget(self) -> None:
        """Something changed: work it out anew when somebody asks."""
        self._made = None
