"""A core process with a sampler in it: ``python -m bench.sampled_core ingest CONFIG.yaml PROFILE.json``.

SIGUSR2 begins the sampling. From then on SIGPROF comes after every 2 ms of processor time that the process
has used, in whichever thread; its handler runs in the main thread, between two of its instructions, and
gives each thread's place the processor time that the thread has used since the handler ran last. A thread
that waits for the disk or for another thread uses none and does not count.
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Final

import yaml

from gateway.config import GatewayConfig
from gateway.main import run_gateway
from ingest.process import run_ingest

INTERVAL: Final = 0.002
_ROOT: Final = str(Path(__file__).parent.parent) + os.sep
_ROOMS: Final = tuple(
    _ROOT + room + os.sep
    for room in ("gateway", "ingest", "cases", "rules", "registry", "readings", "language")
)
Place = tuple[str, str]
"""File and function."""


class Sampler:
    """Adds up processor time by place."""

    def __init__(self) -> None:
        self.seconds: dict[tuple[str, Place, Place], float] = {}
        """By (thread, innermost function, innermost function of ours)."""
        self._used: dict[int, float] = {}
        self._main = threading.main_thread().ident

    def prepare(self) -> None:
        """Begin at SIGUSR2."""
        signal.signal(signal.SIGPROF, self._sample)
        signal.siginterrupt(signal.SIGPROF, False)
        signal.signal(signal.SIGUSR2, lambda *_: signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL))

    def stop(self) -> None:
        """End."""
        signal.setitimer(signal.ITIMER_PROF, 0, 0)

    def write(self, path: Path) -> None:
        """Write the seconds by place."""
        rows = [[thread, *leaf, *ours, spent] for (thread, leaf, ours), spent in self.seconds.items()]
        path.write_text(json.dumps(rows), encoding="utf-8")

    def _sample(self, _: int, frame: FrameType | None) -> None:
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        for thread, found in sys._current_frames().items():
            used = time.clock_gettime(time.pthread_getcpuclockid(thread))
            before = self._used.get(thread, used)
            self._used[thread] = used
            spent = used - before if used >= before else used  # a new thread under an old one's number
            at = frame if thread == self._main else found
            if at is None or not spent:
                continue
            ours: FrameType | None = at
            while ours is not None and not _place(ours)[0].startswith(_ROOMS):
                ours = ours.f_back
            key = names.get(thread, "?"), _place(at), _place(ours) if ours is not None else ("", "")
            self.seconds[key] = self.seconds.get(key, 0.0) + spent


def _place(frame: FrameType) -> Place:
    return frame.f_code.co_filename, frame.f_code.co_qualname


def main() -> None:
    """Run ingest or the gateway; write the profile when it ends."""
    run = {"ingest": run_ingest, "gateway": run_gateway}[sys.argv[1]]
    config, profile = (Path(argument) for argument in sys.argv[2:4])
    sampler = Sampler()
    sampler.prepare()
    try:
        run(GatewayConfig.model_validate(yaml.safe_load(config.read_text(encoding="utf-8"))))
    finally:
        sampler.stop()
        sampler.write(profile)


if __name__ == "__main__":
    main()
