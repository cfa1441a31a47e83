"""Housekeeping of the operations database: what is over goes when it is old or too much."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import structlog

from cases.store import OperationsStore, StoreUnavailable
from cases.store.retention import DAY, Keeping, Removed, remove_some
from ingest.config import KeepConfig

log = structlog.get_logger()

LOOK_SECONDS: Final = 60.0
BETWEEN_SECONDS: Final = 0.2


def keeping(config: KeepConfig) -> Keeping:
    """The configured limits."""
    return Keeping(
        cases_for=int(config.cases_days * DAY),
        alarms_for=int(config.alarms_days * DAY),
        deliveries_for=int(config.deliveries_days * DAY),
        bytes=config.operations_bytes,
    )


async def keep_house(
    store: OperationsStore, limits: Keeping, clock: Callable[[], int] = time.time_ns
) -> None:
    """Remove what is to go, a few at a time, until cancelled."""
    total = Removed()
    while True:
        try:
            removed = await asyncio.to_thread(remove_some, store, limits, clock())
        except StoreUnavailable as error:
            log.warning("housekeeping postponed", reason=str(error))
            removed = Removed()
        total += removed
        if total and not removed:
            log.info("old records removed", cases=total.cases, alarms=total.alarms, messages=total.deliveries)
            total = Removed()
        await asyncio.sleep(BETWEEN_SECONDS if removed else LOOK_SECONDS)
