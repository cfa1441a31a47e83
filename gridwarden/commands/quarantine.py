"""``gridwarden quarantine``: look at what could not be used, try it again, drop it.

Looking reads the core's files and needs nobody. Retry and drop are orders to the ingest process, which owns
them; what comes of an order is read from the files again.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import msgspec
from rich.console import Console
from rich.table import Table

from gridwarden.commands.check import complain_about
from gridwarden.console_text import complain, say, stop, tell, translate
from gridwarden.installation import Installation, configured_by, installed_in
from ingest import quarantine_report
from ingest.bus import BusUnavailable
from ingest.database import StoreUnavailable
from ingest.opening import connect
from ingest.quarantine import EntryId, Reason, Selection
from ingest.quarantine_acts import INTERRUPTED, Outcome
from ingest.quarantine_report import Entry, QuarantineGroup
from ingest.quarantine_service import COMMAND
from ingest.quarantine_words import name, remedy
from ingest.status import CommandRefused, ask
from registry.problems import InvalidConfiguration, did_you_mean

_Answer = TypeVar("_Answer")

_PATIENCE: Final = 5.0
"""Seconds that the ingest process may take to answer."""
_LOOK: Final = 0.2
_BYTES_SHOWN: Final = 256
_SAMPLES_SHOWN: Final = 10
_WIDTH: Final = 120
"""Columns where the output is no terminal."""


def folder(data: Path, config: Path | None) -> Path:
    """The core's folder of an installation."""
    if config is None and not (data / "run" / "gateway.yaml").exists() and (data / "gateway").exists():
        return data / "gateway"  # only its data is left
    return _installation(data, config).config.data


def selection(
    edge: str, source: str, point: str, reason: str, entries: Iterable[str], *, everything: bool = True
) -> Selection:
    """What is meant; without any condition only when `everything` says so."""
    known = [each.value for each in Reason]
    if reason and reason not in known:
        meant = did_you_mean(reason, known)
        why = tell(
            "there is no reason {reason}; there are: {reasons}", reason=reason, reasons=", ".join(known)
        )
        stop(f"{why} ({translate(meant)})" if meant is not None else why)
    for entry in entries:
        parsed = EntryId.parse(entry)
        if parsed is None or parsed.stage not in quarantine_report.FILES:
            stop(tell("{entry} is no entry: gridwarden quarantine show prints their names", entry=entry))
    chosen = Selection("", edge, source, point, reason, tuple(entries))
    if chosen == Selection() and not everything:
        stop(tell("Say which: entries, --edge, --source, --point, --reason, or --all."))
    return chosen


def show_groups(data: Path, chosen: Selection, limit: int, *, as_json: bool) -> None:
    """What is in quarantine."""
    found = _read(lambda: quarantine_report.groups(data, chosen, limit))
    if as_json:
        say(json.dumps([_as_json(group) for group in found], ensure_ascii=False))
        return
    if not found:
        say(tell("Nothing is in quarantine."))
        return
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1))
    for head in (tell("edge"), tell("source"), tell("point")):
        table.add_column(head, no_wrap=True)
    table.add_column(tell("reason"), overflow="fold")
    for head in (tell("samples"), tell("tries"), tell("last")):
        table.add_column(head, justify="right")
    for group in found:
        reason = f"{group.reason.value}: {translate(group.detail)}"
        table.add_row(
            group.edge, group.source, group.point, reason, f"{group.count:,}", str(group.tries),
            _moment(group.last),
        )  # fmt: skip
    _console().print(table)
    say("")
    for reason_ in sorted({group.reason for group in found}):
        say(f"{reason_.value} ({translate(name(reason_))}): {translate(remedy(reason_))}")


def show_entries(data: Path, chosen: Selection, limit: int) -> None:
    """Entries with their bytes and what they hold; exit code 1 when there is none."""
    found = _read(lambda: quarantine_report.entries(data, chosen, None, limit + 1))
    if not found:
        stop(tell("Nothing like that is in quarantine."), code=1)
    for entry in found[:limit]:
        for line in _lines(entry):
            say(line)
        say("")
    if len(found) > limit:
        say(tell("… and more: --limit {n} shows more of them.", n=limit * 10))


def confirm_drop(data: Path, chosen: Selection, *, yes: bool) -> None:
    """Say what will be dropped, and ask; ends the command when it is not wanted."""
    groups = _read(lambda: quarantine_report.groups(data, chosen, 10_000))
    count = sum(group.count for group in groups)
    if not count:
        stop(tell("Nothing like that is in quarantine."), code=1)
    if yes:
        return
    if not sys.stdin.isatty():
        stop(tell("{n} {n|sample|samples} would be dropped for good: say --yes.", n=count))
    say(tell("{n} {n|sample|samples} will be dropped for good. Type yes to go on:", n=count))
    if sys.stdin.readline().strip().casefold() not in ("yes", "y", "是"):
        stop(tell("Nothing was dropped."), code=1)


def carry_out(
    kind: Literal["retry", "drop"],
    data: Path,
    config: Path | None,
    chosen: Selection,
    actor: str,
    note: str,
) -> None:
    """Have it done and wait for its end; exit code 1 when it did not come to it, or nothing was meant."""
    found = _installation(data, config)
    order = {"kind": kind, "selection": msgspec.to_builtins(chosen), "actor": actor, "note": note}
    act = asyncio.run(_order(found, order))
    outcome = _followed(found.config.data, act)
    say(
        tell(
            "{entries} {entries|entry|entries}: {passed} {passed|sample|samples} came in, {duplicates} were"
            " known already, {refused} are still refused, {dropped} dropped.",
            entries=outcome.done,
            passed=outcome.passed,
            duplicates=outcome.duplicates,
            refused=outcome.refused,
            dropped=outcome.dropped,
        )
    )
    if outcome.left:
        say(tell("{n} {n|entry|entries} can never be tried again: look, then drop.",
                 n=outcome.left))  # fmt: skip
    if outcome.state == "stopped":
        why = tell("the ingest process ended while it was at it")
        stop(why if outcome.problem == INTERRUPTED else outcome.problem, code=1)
    if not outcome.entries and not outcome.left:
        stop(tell("Nothing like that is in quarantine."), code=1)


async def _order(found: Installation, order: dict[str, Any]) -> str:
    try:
        async with await connect(found.config.bus, "quarantine", _PATIENCE) as bus:
            answer = await ask(bus, found.config.partition, COMMAND, order, within=_PATIENCE)
    except CommandRefused as error:
        stop(str(error), code=1)
    except (BusUnavailable, OSError) as error:
        complain(str(error))
        stop(tell("The ingest process must run: it owns the quarantine. Start it and try again."), code=1)
    return str(answer["act"])


def _followed(data: Path, act: str) -> Outcome:
    """The outcome of an act, once it has ended; tells how far it is."""
    told = time.monotonic()
    while True:
        ((_, outcome),) = _read(lambda: quarantine_report.acts(data, one=act))
        if outcome.state in ("done", "stopped"):
            return outcome
        if time.monotonic() - told > 1:
            told = time.monotonic()
            say(tell("  {done} of {entries} entries …", done=f"{outcome.done:,}",
                     entries=f"{outcome.entries:,}"))  # fmt: skip
        time.sleep(_LOOK)


def _lines(entry: Entry) -> Iterator[str]:
    row, held = entry.row, quarantine_report.held(entry.row)
    yield (
        f"{entry.id}  {_moment(row.at)}  {row.entry.edge}  {row.entry.source}"
        f"{'  ' if row.entry.point else ''}{row.entry.point}"
    )
    yield f"  {row.entry.reason.value}: {translate(row.entry.detail)}"
    if row.tries:
        yield "  " + tell("tried {n} {n|time|times}, last {time}", n=row.tries, time=_moment(row.tried))
    for sample in held.samples[:_SAMPLES_SHOWN]:
        when = tell("device {time}", time=_moment(sample.time)) if sample.time else ""
        yield f"  {sample.point} = {sample.value!r} {sample.unit}  {_moment(sample.taken)}  {when}".rstrip()
    if len(held.samples) > _SAMPLES_SHOWN:
        yield "  " + tell("… {n} more", n=len(held.samples) - _SAMPLES_SHOWN)
    if held.samples:
        return  # the bytes are those of our own format then, and the samples all that they say
    for at in range(0, min(len(held.raw), _BYTES_SHOWN), 16):
        part = held.raw[at : at + 16]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        yield f"  {at:04x}  {part.hex(' '):<47}  {text}"
    if len(held.raw) > _BYTES_SHOWN:
        yield "  " + tell("… {n} bytes more", n=len(held.raw) - _BYTES_SHOWN)


def _as_json(group: QuarantineGroup) -> dict[str, Any]:
    return {
        "stage": group.stage,
        "edge": group.edge,
        "lane": group.lane.value,
        "source": group.source,
        "point": group.point,
        "reason": group.reason.value,
        "detail": translate(group.detail),
        "retryable": group.may_be_tried,
        "entries": group.entries,
        "samples": group.count,
        "tries": group.tries,
        "first": _moment(group.first),
        "last": _moment(group.last),
    }


def _installation(data: Path, config: Path | None) -> Installation:
    if config is None and not (data / "run" / "gateway.yaml").exists():
        stop(tell("{folder} holds no gateway's data: name the folder with --data.", folder=data))
    try:
        return configured_by(config) if config is not None else installed_in(data)
    except InvalidConfiguration as error:
        for problem in error.problems:
            complain_about(problem)
        raise SystemExit(2) from error


def _read(question: Callable[[], _Answer]) -> _Answer:
    try:
        return question()
    except StoreUnavailable as error:
        stop(str(error), code=1)


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else _WIDTH, highlight=False)


def _moment(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
