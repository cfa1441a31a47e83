"""Which machine it was, and how busy with other things."""

import os
import platform
import sqlite3
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

import psutil

from bench.servers import find_mosquitto
from ingest.nats_files import ServerError
from ingest.nats_server import find_server, server_version

_PACKAGES: Final = ("gridwarden", "msgspec", "nats-py", "paho-mqtt", "uvloop", "uvicorn")


@dataclass(frozen=True, slots=True)
class Machine:
    """What a figure depends on besides the program."""

    cpu: str
    cores: int
    memory_bytes: int
    kernel: str
    python: str
    versions: dict[str, str]
    load_before: tuple[float, float, float]
    """Load averages (1, 5, 15 minutes) when the measuring began: above 0.5 others were at work."""


def this_machine() -> Machine:
    """The machine we run on."""
    return Machine(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=psutil.virtual_memory().total,
        kernel=f"{platform.system()} {platform.release()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        versions={
            **{name: version(name) for name in _PACKAGES},
            "sqlite": sqlite3.sqlite_version,
            "nats-server": _nats(),
            "mosquitto": _mosquitto(),
        },
        load_before=os.getloadavg(),
    )


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model"))]
    return names[0] if names else platform.processor() or platform.machine()


def _nats() -> str:
    try:
        return ".".join(map(str, server_version(find_server())))
    except ServerError:
        return "none"


def _mosquitto() -> str:
    binary = find_mosquitto()
    if binary is None:
        return "none"
    told = subprocess.run([binary, "-h"], capture_output=True, text=True, timeout=10, check=False).stdout
    return told.splitlines()[0].rpartition(" ")[2] if told else "unknown"
