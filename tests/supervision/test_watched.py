"""A service without systemd: heard, ended when it hangs, stopped when asked."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil

from tests.conftest import wait_until

SERVICE = """
    import asyncio, signal, sys
    from supervision.watchdog import Watchdog

    async def main():
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        watchdog = Watchdog()
        pulse = watchdog.pulse("loop")
        told = asyncio.create_task(watchdog.run())
        print("begun", flush=True)
        while not stop.is_set():
            if {moves}:
                pulse.beat()
            await asyncio.sleep(0.02)
        told.cancel()
        sys.exit(7)

    asyncio.run(main())
"""


def watched(folder: Path, moves: str, *options: str) -> subprocess.Popen[str]:
    program = folder / "service.py"
    program.write_text(textwrap.dedent(SERVICE.format(moves=moves)))
    return subprocess.Popen(
        [sys.executable, "-m", "supervision.watched", *options, sys.executable, str(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )


def test_signs_of_life_are_seen_from_outside_until_it_is_asked_to_stop(tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    process = watched(tmp_path, "True", "--alive", str(alive), "--period", "4")
    wait_until(alive.exists, "it is ready")
    seen = alive.stat().st_mtime_ns
    wait_until(lambda: alive.stat().st_mtime_ns > seen, "it lives on")
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 7


def test_one_that_hangs_is_ended_and_says_where_it_hung(tmp_path: Path) -> None:
    process = watched(tmp_path, "False", "--period", "1")
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "no sign of life for 1 s" in told
    assert "does not move any more: loop" in told
    assert "Fatal Python error: Aborted" in told


def test_it_ends_as_its_service_ends(tmp_path: Path) -> None:
    process = watched(tmp_path, "sys.exit(3)")
    assert process.wait(30) == 3


def test_its_service_does_not_outlive_it(tmp_path: Path) -> None:
    process = watched(tmp_path, "True", "--alive", str(tmp_path / "alive"))
    wait_until((tmp_path / "alive").exists, "it is ready")
    (service,) = psutil.Process(process.pid).children()
    process.kill()
    process.wait()
    wait_until(lambda: not service.is_running(), "it is gone too")


def test_a_command_is_needed() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "supervision.watched"], capture_output=True, text=True, check=False
    )
    assert told.returncode == 2
    assert "which command?" in told.stderr
