"""Ready, alive, stopping: told over a real socket, and no longer told when something hangs."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from supervision.notify import notify, watchdog_seconds
from supervision.watchdog import Watchdog
from tests.supervision.notify_socket import NotifySocket, with_notify


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NotifySocket]:
    made = NotifySocket(tmp_path, watchdog=0.4)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    yield made
    made.close()


async def until(condition: Callable[[], object], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is awaited comes from a socket and from a log
            await asyncio.sleep(0.01)


def test_without_a_service_manager_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert notify("READY=1") is False


def test_a_service_manager_that_is_gone_is_no_reason_to_stop(told: NotifySocket) -> None:
    told.close()
    assert notify("READY=1") is False


def test_an_abstract_socket_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"gridwarden-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(f"\0{name}")
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        assert notify("READY=1", "STATUS=works")
        assert receiver.recv(100) == b"READY=1\nSTATUS=works"


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "1500000"}, 1.5),
        ({"WATCHDOG_USEC": "1500000", "WATCHDOG_PID": str(os.getpid())}, 1.5),
        ({"WATCHDOG_USEC": "1500000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
    ],
)
def test_only_the_process_that_is_watched_is_watched(
    environment: dict[str, str], seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert watchdog_seconds() == seconds


async def test_it_says_ready_then_lives_then_stops(told: NotifySocket) -> None:
    running = asyncio.create_task(Watchdog().run())
    await until(lambda: told.count("WATCHDOG=1") >= 3)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    lines = [line for _, line in told.receive()]
    assert lines[0] == "READY=1"
    assert lines[-1] == "STOPPING=1"
    assert {*lines[1:-1]} == {"WATCHDOG=1"}


async def test_one_loop_that_hangs_silences_it_and_is_named(
    told: NotifySocket, caplog: pytest.LogCaptureFixture
) -> None:
    watchdog = Watchdog()
    pulses = [watchdog.pulse("rules"), watchdog.pulse("writer")]
    hang = asyncio.Event()

    async def work(number: int) -> None:
        while not (hang.is_set() and number == 1):
            pulses[number].beat()
            await asyncio.sleep(0.01)
        await asyncio.Event().wait()

    tasks = [asyncio.create_task(work(0)), asyncio.create_task(work(1)), asyncio.create_task(watchdog.run())]
    await until(lambda: told.count("WATCHDOG=1") >= 2)
    hang.set()
    await until(lambda: watchdog.still() == ["writer"])
    await until(lambda: "does not move any more: writer" in caplog.text)
    told.receive()
    told.told.clear()
    await asyncio.sleep(3 * watchdog.period)  # long enough for a dozen signs of life
    assert told.receive() == []
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_a_loop_that_sleeps_on_purpose_is_no_loop_that_hangs() -> None:
    now = 0.0
    watchdog = Watchdog(10, tell=lambda _: None, clock=lambda: now)
    pulse = watchdog.pulse("writer")
    now = 5.1
    assert watchdog.still() == ["writer"]
    pulse.beat(asleep=60)
    now = 70.0
    assert watchdog.still() == []
    now = 70.2
    assert watchdog.still() == ["writer"]
    pulse.beat()
    assert watchdog.still() == []


def test_a_blocked_event_loop_goes_silent_and_its_end_shows_where(tmp_path: Path) -> None:
    told = NotifySocket(tmp_path, watchdog=0.4)
    program = textwrap.dedent(
        """
        import asyncio, signal, sys, time
        from supervision.notify import notify
        from supervision.watchdog import Watchdog

        def stand_still():
            notify("STATUS=standing still")
            time.sleep(60)

        async def main():
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, stand_still)
            await Watchdog().run()

        asyncio.run(main())
        """
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], env=with_notify(told), stderr=subprocess.PIPE, text=True
    )
    try:
        assert told.wait_for("WATCHDOG=1", more_than=2) == process.pid
        process.send_signal(signal.SIGUSR1)

        told.wait_for("STATUS=standing still")
        before = told.count("WATCHDOG=1")
        time.sleep(1.2)  # three periods
        assert told.count("WATCHDOG=1") == before
        process.send_signal(signal.SIGABRT)  # what systemd sends then
        _, words = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
        told.close()
    assert process.returncode == -signal.SIGABRT
    assert "stand_still" in words
