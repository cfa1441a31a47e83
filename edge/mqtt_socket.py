"""A socket for paho that asks the system once for many packets.

paho reads a packet with three `recv` calls and sends each PUBACK with a call of its own. At ten thousand
messages a second those calls are a seventh of the work; here they meet memory, and the system is asked
for 64 kB at a time and given all that is to go at once.
"""

import contextlib
import socket
import ssl
from typing import Any, Final

from paho.mqtt import client as paho

_CHUNK: Final = 64 * 1024


_OPTIONS: Final = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 4),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 2),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 10_000),
)
"""A broker that cannot be reached for 10 s is lost (tcp(7)). Without that the kernel sends again after ever
longer pauses: a cable that was out for 25 s can cost an alarm another 25 s once it is back."""


class BufferedSocket:
    """What paho needs of a socket (its ``SocketLike``), buffered both ways."""

    def __init__(self, inner: socket.socket) -> None:
        self._inner = inner
        self._received = b""
        self._at = 0
        self._outgoing = bytearray()

    def recv(self, size: int) -> bytes:
        """Up to `size` bytes; asks the system only when nothing is left. Raises as `socket.recv`."""
        at = self._at
        if at >= len(self._received):
            self._received = self._inner.recv(_CHUNK)
            at = 0
        self._at = at + size
        return self._received[at : at + size]

    def send(self, data: bytes | bytearray) -> int:
        """Keep `data` until `flush`."""
        self._outgoing += data
        return len(data)

    def flush(self) -> bool:
        """Send what was kept, as far as the system takes it; whether that was all. Raises OSError."""
        try:
            while self._outgoing:
                del self._outgoing[: self._inner.send(self._outgoing)]
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        return True

    def pending(self) -> bool:
        """Whether there is something to read that the system's socket is not readable for."""
        if self._at < len(self._received):
            return True
        return isinstance(self._inner, ssl.SSLSocket) and self._inner.pending() > 0

    def close(self) -> None:
        """Send what can go at once (the last PUBACKs, DISCONNECT) and close the socket."""
        with contextlib.suppress(OSError):
            self.flush()
        self._inner.close()

    def fileno(self) -> int:
        """The system's number of the socket; -1 once closed."""
        return self._inner.fileno()

    def setblocking(self, flag: bool) -> None:
        """As `socket.setblocking`."""
        self._inner.setblocking(flag)


class BufferedClient(paho.Client):
    """A paho client on a `BufferedSocket`."""

    wire: BufferedSocket | None = None

    def _create_socket(self) -> Any:
        inner: Any = super()._create_socket()
        for level, option, value in _OPTIONS:
            inner.setsockopt(level, option, value)
        self.wire = BufferedSocket(inner)
        return self.wire
