"""A small HTTP server that answers ``/write`` as an InfluxDB in trouble does, told what to do next."""

import gzip
import re
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from threading import Lock
from typing import NamedTuple

from tests.stand_in import StandIn


class Answer(NamedTuple):
    """What the server does with one request.

    It reads the request, takes its points if it is `taken` (by default with status 204), waits `delay`
    seconds and answers. `cut` resets the connection instead: in the middle of the ``request`` or of the
    ``answer``.
    """

    status: int
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    delay: float = 0.0
    cut: str = ""
    taken: bool | None = None


class FaultServer(StandIn):
    """`answers` are given first, in order; then `judge` decides, then 204. `points` has what was taken."""

    def __init__(self) -> None:
        self.answers: deque[Answer] = deque()
        self.judge: Callable[[list[str]], Answer | None] = lambda lines: None
        self.requests: list[tuple[int, int]] = []
        """(status, number of lines) of every write."""
        self.times: list[float] = []
        """When each request came, by the monotonic clock."""
        self.written: list[str] = []
        """Every line that was taken, in the order of arrival."""
        self.points: dict[tuple[str, str], dict[str, str]] = {}
        """As a database holds them: fields by series and time."""
        self._lock = Lock()
        super().__init__()

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers["Content-Length"])
        with self._lock:
            answer = self.answers.popleft() if self.answers else None
        if answer is not None and answer.cut == "request":
            self._note(0, 0)
            handler.rfile.read(length // 2)
            _reset(handler)
            return
        body = handler.rfile.read(length)
        if handler.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        lines = body.decode().split("\n")
        answer = answer or self.judge(lines) or Answer(204)
        self._note(answer.status, len(lines))
        if answer.taken or (answer.taken is None and answer.status == 204 and not answer.cut):
            self._take(lines)
        time.sleep(answer.delay)
        if answer.cut:
            handler.wfile.write(b"HTTP/1.1 204 No Con")
            _reset(handler)
            return
        try:
            handler.send_response(answer.status)
            for name, value in answer.headers:
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(answer.body)))
            handler.end_headers()
            handler.wfile.write(answer.body.encode())
        except OSError:  # the client did not want to wait so long
            handler.close_connection = True

    def _note(self, status: int, lines: int) -> None:
        with self._lock:
            self.requests.append((status, lines))
            self.times.append(time.monotonic())

    def _take(self, lines: list[str]) -> None:
        with self._lock:
            self.written += lines
            for line in lines:
                series, rest = re.split(r"(?<!\\) ", line, maxsplit=1)
                fields, _, at = rest.rpartition(" ")
                known = self.points.setdefault((series, at), {})
                known.update(
                    part.split("=", 1) for part in re.findall(r'[^,=]+=(?:"(?:\\.|[^"])*"|[^,]*)', fields)
                )  # type: ignore[misc]


def _reset(handler: BaseHTTPRequestHandler) -> None:
    """Cut the connection with an RST, as a machine that dies does."""
    handler.wfile.flush()
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True
