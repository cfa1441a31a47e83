"""A real notify socket, as systemd has one."""

import os
import socket
from pathlib import Path

from tests.conftest import wait_until


class NotifySocket:
    """Receives what processes tell; `environment` makes them tell it."""

    def __init__(self, folder: Path, watchdog: float = 0) -> None:
        self.told: list[tuple[int, str]] = []
        """(process, assignment), in the order in which they came."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        path = folder / "notify"
        self._socket.bind(str(path))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.environment = {"NOTIFY_SOCKET": str(path)}
        if watchdog:
            self.environment["WATCHDOG_USEC"] = str(int(watchdog * 1e6))

    def receive(self) -> list[tuple[int, str]]:
        """All that was told until now."""
        while True:
            try:
                data, ancillary, _, _ = self._socket.recvmsg(4096, socket.CMSG_SPACE(12))
            except BlockingIOError:
                return self.told
            process = int.from_bytes(ancillary[0][2][:4], "little")
            self.told += [(process, line) for line in data.decode().splitlines()]

    def count(self, assignment: str) -> int:
        """How often it was told."""
        return sum(line == assignment for _, line in self.receive())

    def wait_for(self, assignment: str, more_than: int = 0, limit: float = 30) -> int:
        """Wait until `assignment` was told more often than that; the process that told it last."""
        wait_until(lambda: self.count(assignment) > more_than, f"a process says {assignment}", limit)
        return next(process for process, line in reversed(self.told) if line == assignment)

    def close(self) -> None:
        self._socket.close()


def with_notify(notify: NotifySocket) -> dict[str, str]:
    """The environment of a process that is to tell `notify`."""
    return {**os.environ, **notify.environment}
