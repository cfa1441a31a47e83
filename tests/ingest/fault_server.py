"""A small HTTP server that answers ``/write`` as an InfluxDB in trouble does, told what to do next."""

import gzip
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import NamedTuple


class Answer(NamedTuple):
    """What the server says to one request; status 0 cuts the connection in the middle of the answer."""

    status: int
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()


class FaultServer:
    """`answers` are given first, in order; then `judge` decides, then 204. `written` has what was taken."""

    def __init__(self) -> None:
        self.answers: deque[Answer] = deque()
        self.judge: Callable[[list[str]], Answer | None] = lambda lines: None
        self.requests: list[tuple[int, int]] = []
        """(status, number of lines) of every write."""
        self.written: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                outer._serve(self, body.decode().split("\n"))

            def log_message(self, *args: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _serve(self, handler: BaseHTTPRequestHandler, lines: list[str]) -> None:
        answer = self.answers.popleft() if self.answers else self.judge(lines) or Answer(204)
        self.requests.append((answer.status, len(lines)))
        if answer.status == 204:
            self.written += lines
        if answer.status == 0:
            handler.wfile.write(b"HTTP/1.1 204 No Con")
            handler.close_connection = True
            return
        handler.send_response(answer.status)
        for name, value in answer.headers:
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(answer.body)))
        handler.end_headers()
        handler.wfile.write(answer.body.encode())
