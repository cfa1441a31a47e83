"""What the gateway knows of the ingest process, which runs beside it."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from ingest.bus import Bus
from ingest.progress import Progress
from ingest.status import IngestStatus, ask, listen
from language import N_, Message
from readings.lanes import Lane

SILENT_SECONDS: Final = 5.0
"""After so long without a word the process counts as not running."""

NOT_HEARD: Final = Message(N_("the ingest process is not heard"))

Progresses = Mapping[Lane, Progress]


class IngestLink:
    """The newest status of the ingest process, and the way to ask it for something."""

    def __init__(self, bus: Bus, partition: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._bus = bus
        self._partition = partition
        self._clock = clock
        self._newest: IngestStatus | None = None
        self._heard = 0.0

    async def open(self) -> None:
        """Begin to listen."""
        await listen(self._bus, self._partition, self._hear)

    @property
    def status(self) -> IngestStatus | None:
        """What it told last; None while it is not heard."""
        silent = self._clock() - self._heard > SILENT_SECONDS
        return None if silent else self._newest

    @property
    def stages(self) -> Mapping[str, Progresses]:
        """How far each stage has come, by its name; empty while the process is not heard."""
        status = self.status
        return status.stages if status is not None else {}

    def trouble(self, stage: str) -> Message | None:
        """Why `stage` does not work just now; None when it does."""
        if self.status is None:
            return NOT_HEARD
        lanes = self.stages.get(stage, {})
        return next((lane.problem for lane in lanes.values() if lane.problem), None)

    def stops_alarms(self, stage: str) -> bool:
        """Whether `stage` keeps alarms waiting, not only telemetry."""
        return self.status is None or self.stages[stage][Lane.ALARM].problem is not None

    def disk_trouble(self) -> Message | None:
        """Why the core's disk keeps something from being taken; None while it does not."""
        status = self.status
        return status.disk.problem if status is not None else None

    async def ask(self, name: str, arguments: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """Have the process carry out a command; see `ingest.status.ask`."""
        return await ask(self._bus, self._partition, name, arguments)

    def _hear(self, status: IngestStatus) -> None:
        self._newest, self._heard = status, self._clock()
