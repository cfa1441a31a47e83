"""What is in quarantine, and having it tried again or dropped."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from gateway.api import schemas
from gateway.api.problems import Conflict, NotFound, Unavailable
from gateway.api.showing import instant, maybe_instant
from gateway.api.views.context import Answer, Context, Paging, bad_page, unavailable
from gateway.api.views.devices import Ask
from ingest import quarantine_report
from ingest.bus import BusUnavailable
from ingest.quarantine import EntryId, Selection
from ingest.quarantine_acts import INTERRUPTED, Act, Outcome
from ingest.quarantine_report import Entry
from ingest.quarantine_service import COMMAND
from ingest.quarantine_words import remedy
from ingest.status import CommandRefused
from ingest.stores import StoreUnavailable
from language import N_, Message, Translator, translator
from readings import Sample

SHOWN_BYTES: Final = 4096
SHOWN_SAMPLES: Final = 100


class QuarantineViews:
    """Groups, entries, acts."""

    def __init__(self, context: Context, data: Path, ask: Ask) -> None:
        """`data` is the core's folder, `ask` a command for the ingest process."""
        self._context = context
        self._data = data
        self._ask = ask

    async def groups(self, chosen: Selection, limit: int, language: str) -> list[schemas.QuarantineOut]:
        """What could not be used, grouped, latest first."""
        say = translator(language)
        return [
            schemas.QuarantineOut(
                stage=group.stage,
                edge=group.edge,
                lane=group.lane,
                source=group.source,
                point=group.point,
                reason=group.reason.value,
                detail=say(group.detail),
                remedy=say(remedy(group.reason)),
                retryable=group.may_be_tried,
                entries=group.entries,
                count=group.count,
                tries=group.tries,
                first=instant(group.first),
                last=instant(group.last),
            )
            for group in await self._read(lambda: quarantine_report.groups(self._data, chosen, limit))
        ]

    async def entries(self, chosen: Selection, paging: Paging, language: str) -> schemas.QuarantinePage:
        """Entries of a selection."""
        after = EntryId.parse(paging.after) if paging.after else None
        if paging.after and after is None:
            raise bad_page()
        say = translator(language)
        found = await self._read(
            lambda: quarantine_report.entries(self._data, chosen, after, paging.limit + 1)
        )
        page = found[: paging.limit]
        return schemas.QuarantinePage(
            items=[_entry(entry, say) for entry in page],
            next=str(page[-1].id) if len(found) > len(page) else None,
        )

    async def entry(self, name: str, language: str) -> schemas.QuarantineEntry:
        """One entry."""
        found = await self._read(
            lambda: quarantine_report.entries(self._data, Selection(entries=(name,)), None, 1)
        )
        if not found:
            raise NotFound(f"quarantine entry {name}")
        return _entry(found[0], translator(language))

    async def acts(self, limit: int, language: str) -> list[schemas.QuarantineAct]:
        """What was done, newest first."""
        say = translator(language)
        found = await self._read(lambda: quarantine_report.acts(self._data, limit))
        return [_act(act, outcome, say) for act, outcome in found]

    async def act(self, name: str, language: str) -> schemas.QuarantineAct:
        """How far one act is."""
        found = await self._read(lambda: quarantine_report.acts(self._data, one=name))
        if not found:
            raise NotFound(f"act {name}")
        return _act(*found[0], translator(language))

    async def order(self, order: schemas.QuarantineOrder, language: str) -> schemas.QuarantineAct:
        """Have something done; the act as it begins."""
        self._context.actor(order.actor)
        arguments = order.model_dump()
        try:
            answer = await self._ask(COMMAND, arguments)
        except CommandRefused as error:
            raise Conflict(Message(N_("Not now: {reason}"), {"reason": str(error)})) from error
        except BusUnavailable as error:
            raise Unavailable(Message(N_("The ingest process does not answer just now."))) from error
        return await self.act(str(answer["act"]), language)

    async def _read(self, question: Callable[[], Answer]) -> Answer:
        try:
            return await asyncio.to_thread(question)
        except StoreUnavailable as error:
            raise unavailable(error) from error


def _entry(entry: Entry, say: Translator) -> schemas.QuarantineEntry:
    row = entry.row
    held = quarantine_report.held(row)
    return schemas.QuarantineEntry(
        id=str(entry.id),
        stage=entry.id.stage,
        edge=row.entry.edge,
        lane=row.entry.lane,
        source=row.entry.source,
        point=row.entry.point,
        reason=row.entry.reason.value,
        detail=say(row.entry.detail),
        since=instant(row.at),
        tries=row.tries,
        tried=maybe_instant(row.tried or None),
        size=len(held.raw),
        hex=held.raw[:SHOWN_BYTES].hex(" "),
        text=_text(held.raw[:SHOWN_BYTES]),
        samples=[_sample(sample) for sample in held.samples[:SHOWN_SAMPLES]],
    )


def _sample(sample: Sample) -> schemas.QuarantinedSample:
    return schemas.QuarantinedSample(
        point=sample.point,
        value=sample.value,
        unit=sample.unit,
        event=sample.event,
        device_time=maybe_instant(sample.time or None),
        edge_time=instant(sample.taken),
    )


def _text(raw: bytes) -> str:
    """`raw` as text where it is text, else nothing."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.end < len(raw) or error.start < len(raw) - 3:  # not only cut in the middle of a character
            return ""
        text = raw[: error.start].decode("utf-8")
    return text if all(character.isprintable() or character in "\r\n\t" for character in text) else ""


def _act(act: Act, outcome: Outcome, say: Translator) -> schemas.QuarantineAct:
    why = _ENDED if outcome.problem == INTERRUPTED else Message("{reason}", {"reason": outcome.problem})
    return schemas.QuarantineAct(
        id=act.id,
        kind=act.kind,
        at=instant(act.at),
        actor=act.actor,
        note=act.note,
        selection=schemas.QuarantineSelection.model_validate(msgspec.to_builtins(act.selection)),
        state=outcome.state,
        problem=say(why) if outcome.problem else "",
        entries=outcome.entries,
        done=outcome.done,
        left=outcome.left,
        passed=outcome.passed,
        duplicates=outcome.duplicates,
        refused=outcome.refused,
        dropped=outcome.dropped,
    )


_ENDED: Final = Message(N_("the ingest process ended while it was at it"))
