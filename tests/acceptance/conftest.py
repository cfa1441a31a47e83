"""A whole installation for acceptance tests: the real command line, on free ports, in a folder of its own."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from supervision.ports import free_ports

GRIDWARDEN = [sys.executable, "-m", "gridwarden"]


@dataclass
class Installation:
    """One ``gridwarden up`` and what a user would ask it."""

    data: Path
    options: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    ports: list[int] = field(default_factory=lambda: free_ports(3))
    process: subprocess.Popen[str] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.ports[0]}"

    @property
    def mqtt_port(self) -> int:
        return self.ports[2]

    @property
    def output(self) -> str:
        return (self.data.parent / "up.log").read_text(encoding="utf-8")

    def start(self) -> "Installation":
        """Start it and wait until it says that it is ready."""
        self.data.parent.mkdir(parents=True, exist_ok=True)
        before = len(self.output) if (self.data.parent / "up.log").exists() else 0
        with (self.data.parent / "up.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *GRIDWARDEN, "up", "--data", str(self.data), "--port", str(self.ports[0]),
                    "--bus-port", str(self.ports[1]), "--mqtt-port", str(self.ports[2]), *self.options,
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, text=True,
                env={**os.environ, "GRIDWARDEN_LANG": "en", **self.environment},
            )  # fmt: skip
        self.wait(lambda: "Ready after" in self.output[before:], "gridwarden up is ready", 240)
        return self

    def stop(self) -> int:
        """Ctrl-C, and the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(timeout=30)
        self.process = None
        return code

    def wait(self, condition: Callable[[], Any], what: str, limit: float = 60) -> Any:
        """The first true value of `condition`; fails with `what` and the logs after `limit` seconds."""
        deadline = time.monotonic() + limit
        while True:
            found = condition()
            if found:
                return found
            if self.process is not None and self.process.poll() is not None:
                raise AssertionError(f"gridwarden up ended while waiting for: {what}\n{self.output}")
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {limit:g} s: {what}\n{self.output}\n{self.last_words()}")
            time.sleep(0.05)

    def last_words(self) -> str:
        return "\n".join(
            f"--- {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            for log in sorted((self.data / "log").glob("*.log"))
        )

    def get(self, path: str, **parameters: Any) -> Any:
        answer = httpx.get(f"{self.address}/api/v1/{path}", params=parameters, timeout=20, trust_env=False)
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()

    def try_get(self, path: str, **parameters: Any) -> Any:
        """As `get`, but None while the gateway is away."""
        try:
            answer = httpx.get(
                f"{self.address}/api/v1/{path}", params=parameters, timeout=20, trust_env=False
            )
        except httpx.TransportError:
            return None
        return answer.json() if answer.status_code == httpx.codes.OK else None

    def post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        return httpx.post(f"{self.address}/api/v1/{path}", json=body, timeout=20, trust_env=False)

    def command(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Another ``gridwarden`` command on the same data."""
        done = subprocess.run(
            [*GRIDWARDEN, *arguments], capture_output=True, text=True, timeout=120, check=False,
            env={**os.environ, "GRIDWARDEN_LANG": "en"},
        )  # fmt: skip
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done

    def books(self) -> dict[str, Any]:
        """What ``gridwarden audit --json`` says."""
        done = self.command("audit", "--data", str(self.data), "--json", check=False)
        assert done.stdout, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def children(self) -> dict[str, psutil.Process]:
        """The running processes by name: nats, ingest, gateway, simulators, edge-<id>."""
        assert self.process is not None
        found = {}
        for child in psutil.Process(self.process.pid).children():
            try:
                line = " ".join(child.cmdline())
            except psutil.Error:  # it has just ended
                continue
            if match := re.search(r"-m edge .*--id (\S+)", line):
                found[f"edge-{match[1]}"] = child
            elif match := re.search(r"gridwarden (gateway|ingest|simulate)|(nats-server)", line):
                found[{None: "nats", "simulate": "simulators"}.get(match[1], match[1])] = child
        return found

    def mqtt_password(self) -> str:
        return (self.data / "run" / "secrets" / "nats-mqtt").read_text(encoding="utf-8").strip()

    def publish(self, topic: str, payload: str | bytes) -> None:
        """Publish with somebody else's tool."""
        subprocess.run(
            ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.mqtt_port), "-u", "mqtt",
             "-P", self.mqtt_password(), "-q", "1", "-t", topic, "-s" if payload else "-n"],
            input=payload.encode() if isinstance(payload, str) else payload, check=True, timeout=30,
        )  # fmt: skip


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Callable[..., Installation]]:
    """Make installations; whatever still runs at the end is stopped."""
    made: list[Installation] = []

    def make(*options: str, **environment: str) -> Installation:
        made.append(Installation(tmp_path / f"site{len(made)}" / "var", list(options), environment))
        return made[-1]

    yield make
    for one in made:
        if one.process is not None and one.process.poll() is None:
            one.process.kill()
            one.process.wait()
