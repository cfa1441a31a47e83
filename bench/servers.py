"""Processes of a measurement: each ends with it, also when the measuring process is killed."""

import asyncio
import contextlib
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from bench.figures import CannotMeasure
from supervision.parent import die_with
from supervision.ports import free_ports

_PATIENCE: Final = 8.0


def find_mosquitto() -> str | None:
    """The installed Mosquitto; None when there is none."""
    return shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


@asynccontextmanager
async def running(name: str, command: Sequence[str], log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process for the time of the block; its output goes to `log`."""
    with log.open("ab") as sink:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            env={**os.environ, "GRIDWARDEN_LANG": "en"},
            start_new_session=True,  # Ctrl-C is for the measuring process, which ends the others in order
            preexec_fn=die_with(os.getpid()),
        )
    try:
        yield process
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _PATIENCE)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def wait_for(
    condition: Callable[[], Awaitable[bool]],
    what: str,
    limit: float,
    process: asyncio.subprocess.Process | None = None,
    log: Path | None = None,
) -> None:
    """Poll until `condition`; raises `CannotMeasure` after `limit` seconds or when `process` has ended."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limit
    while not await condition():
        ended = process is not None and process.returncode is not None
        if ended or loop.time() > deadline:
            why = "its process ended" if ended else f"not within {limit:g} s"
            raise CannotMeasure("\n".join([f"{what}: {why}", *last_words(log)]))
        await asyncio.sleep(0.05)


def last_words(log: Path | None, lines: int = 12) -> list[str]:
    """The end of a process's log."""
    return log.read_text(errors="replace").splitlines()[-lines:] if log and log.exists() else []


def answers(port: int) -> bool:
    """Whether somebody listens on the port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@asynccontextmanager
async def mosquitto(folder: Path) -> AsyncIterator[tuple[int, asyncio.subprocess.Process]]:
    """A Mosquitto as docs and ARCHITECTURE want a site's: persistence, no limit on queued messages."""
    binary = find_mosquitto()
    if binary is None:
        raise CannotMeasure("no mosquitto is installed")
    await asyncio.to_thread(folder.mkdir, parents=True)
    (port,) = free_ports(1)
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\n"
        f"persistence_location {folder}/\nmax_queued_messages 0\nmax_inflight_messages 1000\n"
        "set_tcp_nodelay true\n" + ("user root\n" if os.geteuid() == 0 else ""),
        encoding="utf-8",
    )
    log = folder / "mosquitto.log"
    async with running("mosquitto", [binary, "-c", str(config)], log) as process:

        async def listens() -> bool:
            return answers(port)

        await wait_for(listens, "mosquitto", 10, process, log)
        yield port, process


def python(module: str, *arguments: str) -> list[str]:
    """The command line of a module of ours."""
    return [sys.executable, "-m", module, *arguments]
