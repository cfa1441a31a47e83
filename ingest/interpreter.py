"""How the processes of the core run their Python interpreter. Every number here was measured."""

import asyncio
import gc
import sys
from typing import Final

SWITCH_SECONDS: Final = 0.0005
"""How long the event loop may keep the interpreter from the threads that write (Python's default: 5 ms).

A transaction is some twenty statements, and after each its thread waits for the interpreter again.
"""
COLLECT: Final = (5_000, 10, 10)
"""Thresholds of the garbage collector. Batches come and go without cycles; what has some (answers of the
bus that did not come in time, finished tasks) is a hundred objects a second. Let gather by the ten thousand
they held 2.5 MB in pieces, and the heap around them grew by 45 kB a minute for as long as anybody looked.
"""
SETTLED_SECONDS: Final = 5.0
"""By then everything that is kept of every device has been built."""


def share_fairly() -> None:
    """Let the threads that write have the interpreter soon."""
    sys.setswitchinterval(SWITCH_SECONDS)


async def spare_what_stays() -> None:
    """Keep the garbage collector off what lives as long as the process: the site, the rules, the engine.

    Of 2,000 devices and 200 rules that is half a million objects; looking through all of them stopped
    everything for 0.3 s, every now and then.
    """
    gc.set_threshold(*COLLECT)
    gc.freeze()
    await asyncio.sleep(SETTLED_SECONDS)
    gc.freeze()
