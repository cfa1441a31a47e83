"""``gridwarden record`` and ``replay``: real traffic as a file, and back on the wire."""

import asyncio
from pathlib import Path

from gridwarden.console_text import say, stop, tell
from links.secret_files import read_secret
from simulators.recording import record_traffic, replay_traffic


def record(
    file: Path,
    *,
    broker: str,
    topics: list[str],
    port: str,
    baud: int,
    user: str,
    password_file: Path | None,
    seconds: float | None,
) -> int:
    """Write what is heard on `broker` or `port` into `file` until Ctrl-C or `seconds`."""
    if bool(broker) == bool(port):
        stop(tell("Name one source: --broker mqtt://… with --topic, or --port /dev/…"))
    count = asyncio.run(
        record_traffic(
            file,
            broker=broker or None,
            topics=topics or ["#"],
            port=port or None,
            baud=baud,
            username=user or None,
            password=read_secret(password_file) or None,
            seconds=seconds,
        )
    )
    say(tell("{file}: {count} {count|message|messages} recorded.", file=file, count=count))
    return 0


def replay(
    file: Path, *, broker: str, port: str, baud: int, user: str, password_file: Path | None, speed: float
) -> int:
    """Send what `file` holds to `broker` or `port`."""
    if bool(broker) == bool(port):
        stop(tell("Name one target: --broker mqtt://… or --port /dev/…"))
    count = asyncio.run(
        replay_traffic(
            file,
            broker=broker or None,
            port=port or None,
            baud=baud,
            username=user or None,
            password=read_secret(password_file) or None,
            speed=speed,
        )
    )
    say(tell("{file}: {count} {count|message|messages} sent.", file=file, count=count))
    return 0
