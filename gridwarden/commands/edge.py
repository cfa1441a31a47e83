"""``gridwarden edge``: one edge agent as a process.

Hands over to ``python -m edge``, which is the same program without the command line's libraries: an edge box
needs no more memory than its work does.
"""

import os
import sys
from pathlib import Path


def run(
    site: Path,
    edge_id: str,
    data: Path,
    *,
    link: Path | None,
    bus: str | None,
    user: str,
    password_file: Path | None,
) -> None:
    """Become the edge agent."""
    command = edge_command(site, edge_id, data, link=link, bus=bus, user=user, password_file=password_file)
    # One heap for both of its threads: the second would only keep memory to itself.
    os.execve(command[0], command, {"MALLOC_ARENA_MAX": "1", **os.environ})  # noqa: S606 - our own interpreter


def edge_command(
    site: Path,
    edge_id: str,
    data: Path,
    *,
    link: Path | None = None,
    bus: str | None = None,
    user: str = "",
    password_file: Path | None = None,
) -> list[str]:
    """The command line of the edge agent itself."""
    command = [sys.executable, "-m", "edge", str(site), "--id", edge_id, "--data", str(data)]
    if link is not None:
        command += ["--link", str(link)]
    if bus is not None:
        command += ["--bus", bus]
    if user:
        command += ["--user", user]
    if password_file is not None:
        command += ["--password-file", str(password_file)]
    return command
