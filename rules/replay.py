"""What happened while nobody could see: replayed alarms wait a moment before anyone is sent.

Readings that arrive long after they were taken (an edge whose link was down, a gateway that was down) are
judged in event time. An alarm that they raise may well have gone again a few readings later; then it is a
record, not a dispatch. So its raise is held back, but never for long:

- until a reading of this alarm's device that is not old says that it still holds: told at once;
- else `PATIENCE` (5 s for a critical alarm, 30 s for others) on the caller's clock: then it is told.

A fire that still burns is therefore told at most 5 s after its first replayed reading was judged, however
long the replay takes. An alarm told so that turns out to be over later in the replay is cleared in the
ordinary way. Readings that are merely out of order (late) are never held back: nothing more may follow.
"""

from typing import Final

from rules.durations import SECOND
from rules.findings import Severity

LIVE: Final = 60 * SECOND
"""A reading is old when neither device nor edge had it within this time.

Both, because a device whose clock is slow still speaks now.
"""

PATIENCE: Final = {
    Severity.CRITICAL: 5 * SECOND,
    Severity.HIGH: 30 * SECOND,
    Severity.MEDIUM: 30 * SECOND,
    Severity.LOW: 30 * SECOND,
}
