"""The clock of a box that may not know the time when it starts (docs/decisions/0013).

While the machine's clock says what cannot be, how long the machine has been up stands for the time
(`edge.dating`). The first plausible time of the same boot, from the machine's clock or from the core, says
when the boot began, once for all; a clock that jumps later, from one plausible time to another, changes
nothing that was read before. Boots that ended before anybody told them the time are laid in their order
between the last time that was known and the next.
"""

import logging
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from edge.dating import FLOOR, SECOND, Start, Starts, dated, undated
from edge.intake import Notes
from edge.outbox import Group
from language import N_, Message, Translator, preferred, translator

PATIENCE: Final = 600 * SECOND
"""So long (ns) telemetry waits for its true time, in each boot."""
_SLACK: Final = SECOND // 2
"""The core's time is taken again when it differs by more (ns): the answers' ways are not equally long."""
_AHEAD: Final = 10 * SECOND
"""What is noted about how late it is holds until it is noted again."""
_BOOTS: Final = 32
"""So many boots without a time are remembered; what waits from earlier ones stays undated."""
BOOTS_NOTE: Final = "boots"
_NEWEST_NOTE: Final = "newest time"

_WRONG: Final = N_(
    "This machine's clock says {time}, which cannot be: the time is taken from the core, or from the clock "
    "once it is set. Until then alarms are sent at once, undated; everything else waits for the time, for "
    "{minutes} min at most, and is dated then. Set the clock (NTP), or fit one with a battery."
)
_PATIENCE_ENDS: Final = N_(
    "Nobody has told this machine the time for {minutes} min: what waited is sent without. The core dates it "
    "by its arrival and marks it."
)
_BY_THE_CLOCK: Final = N_(
    "This machine's clock was set: it is {time}. What was read before is dated by that."
)
_BY_THE_CORE: Final = N_("The core says that it is {time}. What was read before is dated by that.")
_DATED: Final = N_("{n} {n|reading|readings} from before the time was known have been dated.")

log = logging.getLogger("edge.clock")


@dataclass(frozen=True)
class ClockState:
    """What ``status.json`` says about the clock."""

    wrong: bool
    """The machine's clock says what cannot be."""
    known: bool
    """The time is known, from the machine's clock or from elsewhere."""
    recovered_s: float | None
    """What was added to the machine's uptime to get the times of what was read before the time was known."""
    dated: int
    """Samples that got a time so, since the agent's start."""


class _Boot(msgspec.Struct):
    """A boot of the machine that did not know the time when it began."""

    id: str
    asked: int
    """The uptime at which the time was wanted first."""
    after: int
    """It began later than this. Where no time was ever known: how long the boots before it lasted."""
    start: int = 0
    """When it began; 0 while that is not known."""
    exact: bool = True


class BoxClock:
    """Tells the time, nanoseconds since 1970 UTC: ``clock()``. Belongs to the event loop."""

    def __init__(
        self,
        notes: Notes,
        *,
        wall: Callable[[], int] = time.time_ns,
        uptime: Callable[[], int] | None = None,
        boot: str = "",
        say: Translator | None = None,
    ) -> None:
        self._notes = notes
        self._wall = wall
        self._uptime = uptime or _uptime
        self._boot = boot or _boot_id()
        self._say = say or translator(preferred())
        self._boots = _read(notes.note(BOOTS_NOTE))
        this = self._this
        self._after = this.after if this else int(notes.note(_NEWEST_NOTE) or 0)
        self._start = this.start if this else 0
        """What the uptime counts from as far as is known now; 0 while it is not."""
        self._gave_uptimes = False
        self._dated = 0
        """Samples that had their time before they were committed."""
        self._told_dated = 0
        self._told_patience = False

    def __call__(self) -> int:
        """The time; where it is not known the machine's uptime, which is before `FLOOR`."""
        now = self._wall()
        if now >= FLOOR:
            if not self._start:
                self._learn(now - self._uptime(), _BY_THE_CLOCK)
            return now
        if not self._start:
            self._ask(now)
        return self._start + self._uptime()

    def core_says(self, now: int) -> None:
        """The core's clock says `now`: believed while the machine's own cannot be."""
        start = now - self._uptime()
        if now < FLOOR or self._wall() >= FLOOR:
            return
        if not self._start:
            self._learn(start, _BY_THE_CORE)
        elif abs(start - self._start) > _SLACK:
            self._start = start

    @property
    def knows(self) -> bool:
        """Whether what `clock()` says now is a time."""
        return self() >= FLOOR

    @property
    def is_awaited(self) -> bool:
        """Whether what has no time should wait for one."""
        this = None if self.knows else self._this
        return this is not None and self._uptime() - this.asked < PATIENCE

    def starts(self) -> Starts:
        """When the boots began of which something may wait."""
        return _starts(self._boots, self._boot)

    def settle(self, group: Group) -> Group:
        """`group` with true times where they are known by now, else with the name of this boot."""
        if not self._gave_uptimes:
            return group
        if not self.knows:
            group.boot = self._boot
            return group
        start = self.starts()[self._boot]
        self._dated += sum(map(undated, group.samples.values()))
        samples = {lane: dated(of_lane, start) for lane, of_lane in group.samples.items()}
        return Group(samples, group.deliveries, group.urgent)

    def state(self, dated_later: int) -> ClockState:
        """The state; `dated_later` samples got their time in the outbox."""
        this = self._this
        return ClockState(
            wrong=self._wall() < FLOOR,
            known=self.knows,
            recovered_s=this.start / SECOND if this and this.start else None,
            dated=self._dated + dated_later,
        )

    def look(self, dated_later: int) -> None:
        """To be called every ten seconds: note how late it is, tell what has changed."""
        known = self.knows
        # Not known: at least so late, for whoever must lay the next boot behind this one.
        now = self() if known else self._after + self._uptime()
        self._notes.write_note(_NEWEST_NOTE, str(now + _AHEAD))
        n = self._dated + dated_later - self._told_dated
        if n:
            self._told_dated += n
            log.info("%s", self._say(Message(_DATED, {"n": n})))
        if not known and not self.is_awaited and not self._told_patience:
            self._told_patience = True
            log.warning("%s", self._say(Message(_PATIENCE_ENDS, {"minutes": PATIENCE // SECOND // 60})))

    @property
    def _this(self) -> _Boot | None:
        return next((each for each in self._boots if each.id == self._boot), None)

    def _ask(self, wall: int) -> None:
        """The time is wanted and not known."""
        if self._gave_uptimes:
            return
        self._gave_uptimes = True
        if self._this is None:
            self._boots = [*self._boots[1 - _BOOTS :], _Boot(self._boot, self._uptime(), self._after)]
            self._write()
        values = {"time": _told(wall), "minutes": PATIENCE // SECOND // 60}
        log.warning("%s", self._say(Message(_WRONG, values)))

    def _learn(self, start: int, how: str) -> None:
        """This boot began at `start`; those before it that never knew began before."""
        self._start = start
        if any(not each.start for each in self._boots):
            between = start - self._after
            for each in self._boots:
                if each.id == self._boot:
                    each.start = start
                elif not each.start:
                    # As early as may be; where no time was ever known, or it was wrong, as late.
                    each.start = each.after + (min(0, between) if each.after >= FLOOR else between)
                    each.exact = False
            self._write()
            log.info("%s", self._say(Message(how, {"time": _told(start + self._uptime())})))

    def _write(self) -> None:
        self._notes.write_note(BOOTS_NOTE, msgspec.json.encode(self._boots).decode())


def starts_in(note: str) -> Starts:
    """When the boots began of which something may wait in an outbox with this note (`BOOTS_NOTE`)."""
    return _starts(_read(note), this="")


def _starts(boots: Sequence[_Boot], this: str) -> Starts:
    found = {each.id: Start(each.start, each.exact) for each in boots if each.start}
    ended = [each for each in boots if not each.start and each.id != this and each.after >= FLOOR]
    return found | {each.id: Start(each.after, exact=False) for each in ended}


def _read(note: str) -> list[_Boot]:
    return msgspec.json.decode(note, type=list[_Boot]) if note else []


def _told(now: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now // SECOND))


def _uptime() -> int:
    # Unlike CLOCK_MONOTONIC it goes on while the machine sleeps.
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:  # then an agent knows of its own samples only
        return secrets.token_hex(8)
