"""What a person asks for over the API, parsed at the door into an `Action`."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from cases.case import Action, Actor, Proof, Refused
from cases.sla import SECOND
from cases.states import Act
from language import N_, Message
from registry.model import Invalid
from registry.spans import length

_LIST: Final = re.compile(r"[,，;；\s]+")
_KNOWN: Final = frozenset(
    {
        "units",
        "officer",
        "verifier",
        "lead",
        "members",
        "review",
        "extend_by",
        "priority",
        "category",
        "parent",
        "standard_met",
        "milestone",
    }
)
_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 2200
"""Years between which a date is meant; far outside, nanoseconds leave 64 bits."""
_TRUE: Final = frozenset({"true", "yes", "1", "on"})


def parse(
    name: str,
    actor: Actor,
    zone: ZoneInfo,
    *,
    on_behalf_of: str = "",
    reason: str = "",
    note: str = "",
    evidence: Sequence[Proof] = (),
    values: Mapping[str, str] | None = None,
) -> Action:
    """The action `name` (one of `Act`) with what was given for it; raises `Refused` for nonsense.

    `values` may hold: units, members (ids, separated by commas), officer, verifier, lead, priority,
    category, parent (a case's number), review (a date, or a time, RFC 3339), extend_by (``4h``, ``1d``),
    milestone, standard_met (``true``). Dates without a time mean 09:00 in `zone`.
    """
    given = {key: value.strip() for key, value in (values or {}).items() if value.strip()}
    if unknown := sorted(given.keys() - _KNOWN):
        raise Refused(Message(N_("`{field}` means nothing here."), {"field": ", ".join(unknown)}))
    try:
        act = Act(name)
    except ValueError:
        raise Refused(Message(N_("There is no action `{action}`."), {"action": name})) from None
    try:
        extend_by = length(given["extend_by"]) if "extend_by" in given else None
    except Invalid as error:
        raise Refused(error.message) from error
    return Action(
        act=act,
        actor=actor,
        on_behalf_of=on_behalf_of,
        reason=reason.strip(),
        note=note.strip(),
        evidence=tuple(replace(proof, text=proof.text.strip()) for proof in evidence if proof.text.strip()),
        units=_ids(given.get("units", "")),
        officer=given.get("officer", ""),
        verifier=given.get("verifier", ""),
        lead=given.get("lead", ""),
        members=_ids(given.get("members", "")),
        review=_instant(given["review"], zone) if "review" in given else None,
        extend_by=extend_by,
        priority=given.get("priority", ""),
        category=given.get("category", ""),
        parent_id=given.get("parent", ""),
        standard_met=given.get("standard_met", "").lower() in _TRUE,
        milestone=given.get("milestone", ""),
    )


def _ids(text: str) -> tuple[str, ...]:
    return tuple(part for part in _LIST.split(text) if part)


def _instant(text: str, zone: ZoneInfo) -> int:
    try:
        if len(text) == len("2026-01-01"):
            moment = datetime.combine(date.fromisoformat(text), time(9), zone)
        else:
            moment = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(Message(N_("`{text}` is no date; write it like 2026-10-01"), {"text": text})) from None
    if not _FIRST_YEAR < moment.year < _LAST_YEAR:
        raise Refused(Message(N_("`{text}` is no date; write it like 2026-10-01"), {"text": text}))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return int(moment.timestamp()) * SECOND
