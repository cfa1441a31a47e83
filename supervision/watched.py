"""Runs a service where there is no systemd, as in a container, and does for it what systemd would do.

    python -m supervision.watched --alive /tmp/alive gridwarden ingest --config gateway.yaml

The service tells over sd_notify(3) that it is ready and that all of its loops move (`supervision.watchdog`).
One that hangs is ended, with a trace of every thread in its output, and so is this process: whatever runs it
starts it again. Each sign of life touches the file `--alive`, for a health check that asks how old it is.
"""

import argparse
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Final

from supervision.parent import die_with

PERIOD: Final = 60.0
"""Seconds that a service may be without a sign of life, once it is ready."""
_LOOK: Final = 0.5
_TRACE: Final = 5.0
"""Seconds that a hanging service gets to say where it hangs."""
_HUNG: Final = 1


class Watched:
    """One service and the socket on which it is heard."""

    def __init__(self, command: Sequence[str], socket_path: Path, period: float, alive: Path | None) -> None:
        self._command = shlex.join(command)
        self._period = period
        self._alive = alive
        self._heard: float | None = None
        """When it last moved; None before it is ready."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(socket_path))
        self._socket.settimeout(_LOOK)
        self._process = subprocess.Popen(
            command,
            env={**os.environ, **_environment(socket_path, period)},
            preexec_fn=die_with(os.getpid()),
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._pass_on)

    def run(self) -> int:
        """Wait for its end; its exit code, 128 and the signal's number, or 1 when it had to be ended."""
        while (code := self._process.poll()) is None:
            self._listen()
            if self._heard is not None and time.monotonic() - self._heard > self._period:
                self._end()
                return _HUNG
        return code if code >= 0 else 128 - code

    def _listen(self) -> None:
        try:
            told = self._socket.recv(4096).decode(errors="replace").splitlines()
        except TimeoutError:
            return
        if "STOPPING=1" in told:
            self._heard = None  # it takes the time it takes: whoever stops it knows how long
        elif {"READY=1", "WATCHDOG=1"}.intersection(told):
            self._heard = time.monotonic()
            if self._alive is not None:
                self._alive.touch()

    def _end(self) -> None:
        print(f"no sign of life for {self._period:g} s: {self._command}", file=sys.stderr, flush=True)
        self._process.send_signal(signal.SIGABRT)
        try:
            self._process.wait(_TRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        self._process.send_signal(number)


def _environment(socket_path: Path, period: float) -> Mapping[str, str]:
    return {"NOTIFY_SOCKET": str(socket_path), "WATCHDOG_USEC": str(int(period * 1e6))}


def main() -> None:
    """Run the command of the command line and end as it ends."""
    parser = argparse.ArgumentParser(
        prog="python -m supervision.watched", description=__doc__.partition("\n")[0]
    )
    parser.add_argument(
        "--period", type=float, default=PERIOD, help="seconds without a sign of life that end it"
    )
    parser.add_argument("--alive", type=Path, help="file that each sign of life touches")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if not options.command:
        parser.error("which command?")
    with tempfile.TemporaryDirectory(prefix="gridwarden-") as folder:
        code = Watched(options.command, Path(folder) / "notify", options.period, options.alive).run()
    sys.exit(code)


if __name__ == "__main__":
    main()
