"""A machine on which ``deploy/compose/prepare`` has run, without an engine for containers.

What an image would run, this machine's own program runs: `docker run IMAGE COMMAND` becomes `COMMAND`.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

DEPLOY = Path(__file__).parents[2] / "deploy"

_DOCKER = """#!/bin/sh
# docker run [--rm] [--entrypoint E] [-e NAME=VALUE] IMAGE COMMAND…
shift
first=
while :; do
  case $1 in
    --rm) shift ;;
    --entrypoint) first=$2; shift 2 ;;
    -e) export "$2"; shift 2 ;;
    *) break ;;
  esac
done
[ -n "$1" ] || { echo "no image" >&2; exit 1; }
shift
exec $first "$@"
"""


@dataclass(frozen=True)
class Host:
    """`deploy` is its copy of the folder; `owners` has the lines of every chown."""

    deploy: Path
    tools: Path

    @property
    def secrets(self) -> Path:
        """What prepare has made."""
        return self.deploy / "compose" / "secrets"

    @property
    def owners(self) -> Path:
        """Who each file was given to, a line each."""
        return self.tools / "owners"

    def prepare(self) -> str:
        """Run it; what it says."""
        return subprocess.run(
            [str(self.deploy / "compose" / "prepare")],
            capture_output=True, text=True, check=True,
            env={**os.environ, "PATH": f"{self.tools}:{os.environ['PATH']}", "OWNERS": str(self.owners)},
        ).stdout  # fmt: skip


def rehearsed(folder: Path) -> Host:
    """A machine in `folder` that is prepared."""
    tools = folder / "tools"
    tools.mkdir()
    for name, text in (
        ("docker", _DOCKER),
        ("chown", '#!/bin/sh\nprintf "%s %s\\n" "$1" "${2##*/}" >> "$OWNERS"\n'),
    ):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    shutil.copytree(DEPLOY, folder / "deploy", ignore=shutil.ignore_patterns("secrets", "site"))
    host = Host(folder / "deploy", tools)
    host.prepare()
    return host
