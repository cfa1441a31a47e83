"""Longer runs: ``python -m tests.fuzz.longer PARSER --seconds 600``, guided by which code an input reaches.

atheris (libFuzzer for Python) watches the project's own code and changes inputs until something new happens.
What breaks is written to ``var/fuzz/PARSER/``: mend it, and move the file into ``tests/fuzz/corpus/PARSER/``
under a name that says what it is. Interesting inputs are kept there too, so the next run goes on.

``--all`` gives every parser its share of the time, each in a process of its own. Linux on x86-64 only.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
ROOMS: Final = ["readings", "registry", "rules", "cases", "ingest", "edge", "gateway", "simulators"]
"""The rooms whose code is watched."""
_SLOWEST: Final = 20
"""Seconds after which one input counts as a hang."""
_MEMORY: Final = 1_500
"""Megabytes after which one counts as a leak."""


def main() -> int:
    """Fuzz what the command line names; 1 when something broke."""
    parse = argparse.ArgumentParser(prog="python -m tests.fuzz.longer", description=__doc__)
    parse.add_argument("parser", nargs="?", default="", help="one of those that --list shows")
    parse.add_argument("--seconds", type=int, default=60, help="how long (with --all: for all together)")
    parse.add_argument("--all", action="store_true", help="every parser in turn")
    parse.add_argument("--list", action="store_true", help="the parsers there are")
    parse.add_argument("--keep", type=Path, default=Path("var/fuzz"), help="where inputs are kept")
    given = parse.parse_args()
    if given.list or given.all:
        from tests.fuzz.targets import TARGETS

        if given.list:
            sys.stdout.write("\n".join(sorted(TARGETS)) + "\n")
            return 0
        share = max(1, given.seconds // len(TARGETS))
        return max(_in_its_own_process(name, share, given.keep) for name in TARGETS)
    return _fuzz(given.parser, given.seconds, given.keep)


def _in_its_own_process(name: str, seconds: int, keep: Path) -> int:
    command = [
        sys.executable,
        "-m",
        "tests.fuzz.longer",
        name,
        "--seconds",
        str(seconds),
        "--keep",
        str(keep),
    ]
    return int(subprocess.run(command, check=False).returncode != 0)


def _fuzz(name: str, seconds: int, keep: Path) -> int:
    """Run libFuzzer on one parser; it ends the process when an input breaks it."""
    import atheris

    with atheris.instrument_imports(include=ROOMS, enable_loader_override=False):
        from tests.fuzz.targets import TARGETS
    if name not in TARGETS:
        sys.stderr.write(f"there is no parser {name!r}; see --list\n")
        return 2
    target = TARGETS[name]
    found = keep / name
    seeds = found / "seeds"
    seeds.mkdir(parents=True, exist_ok=True)
    for number, example in enumerate(target.examples):
        (seeds / f"example-{number}").write_bytes(example)
    words = found / "words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words), encoding="ascii")
    known = HERE / "corpus" / name
    options = [
        f"-max_total_time={seconds}", f"-timeout={_SLOWEST}", f"-rss_limit_mb={_MEMORY}", "-max_len=16384",
        f"-dict={words}", f"-artifact_prefix={found}/", "-print_final_stats=1",
    ]  # fmt: skip
    atheris.Setup([name, *options, str(seeds), *([str(known)] if known.is_dir() else [])], target.check)
    atheris.Fuzz()
    return 0


def _escaped(word: Sequence[int]) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    sys.exit(main())
