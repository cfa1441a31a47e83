"""An operations database that was put back from a backup must not use a number twice.

What happened after the backup is gone here, but not elsewhere: officers have case numbers on paper, other
systems have messages by their ids. So today's case numbers go on a good way further on, and the messages made
from now on carry in their id how often the database has been put back.
"""

from collections.abc import Iterable
from typing import Final

from cases.store.operations import OperationsStore
from cases.store.transaction import RESTORED

SKIPPED_CASES: Final = 1_000
SKIPPED_CHANGES: Final = 100_000_000
"""More changes than can have happened since the backup: consoles ask for what is newer than a number."""


def note_restoration(store: OperationsStore, case_counters: Iterable[str]) -> None:
    """Skip the numbers that may have been used; `case_counters` are the counters of today's case numbers
    (`cases.opening.case_number`). Raises `cases.store.StoreUnavailable`.
    """
    with store.transaction() as tx:
        for counter in case_counters:
            tx.skip_numbers(counter, SKIPPED_CASES)
        tx.skip_numbers("change", SKIPPED_CHANGES)
        tx.skip_numbers(RESTORED, 1)
