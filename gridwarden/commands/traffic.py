"""``gridwarden record`` and ``replay``: real traffic as a file, and back on the wire."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path

from gridwarden.console_text import say, stop, tell
from links.secret_files import read_secret
from simulators.recording import WireUnavailable, record_traffic, replay_traffic
from simulators.traffic import NotTraffic


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
    count = _done(
        record_traffic(
            file,
            broker=broker or None,
            topics=topics or ["#"],
            port=port or None,
            baud=baud,
            username=user or None,
            password=_password(password_file),
            seconds=seconds,
        )
    )
    say(tell("{file}: {count} {count|message|messages} recorded.", file=file, count=count))
    return 0


def _password(file: Path | None) -> str | None:
    try:
        return read_secret(file) or None
    except OSError as error:
        stop(tell("This cannot be done: {reason}", reason=error))


def _done(work: Coroutine[object, object, int]) -> int:
    """How many messages it was; a wire or file that cannot be used ends the command."""
    try:
        return asyncio.run(work)
    except (WireUnavailable, NotTraffic, OSError) as error:
        stop(tell("This cannot be done: {reason}", reason=error))


def replay(
    file: Path, *, broker: str, port: str, baud: int, user: str, password_file: Path | None, speed: float
) -> int:
    """Send what `file` holds to `broker` or `port`."""
    if bool(broker) == bool(port):
        stop(tell("Name one target: --broker mqtt://… or --port /dev/…"))
    count = _done(
        replay_traffic(
            file,
            broker=broker or None,
            port=port or None,
            baud=baud,
            username=user or None,
            password=_password(password_file),
            speed=speed,
        )
    )
    say(tell("{file}: {count} {count|message|messages} sent.", file=file, count=count))
    return 0
