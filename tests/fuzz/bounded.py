"""Inputs of hostile size, each tried in a child process with little memory and little time.

A parser that takes all memory, never ends or overruns the C stack ends its child, not the tests; the
kernel keeps the limits, so nothing here depends on how busy the machine is.
"""

import multiprocessing
import resource
from collections.abc import Sequence
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Final

from tests.fuzz.target import Target

MEMORY: Final = 1 << 30
"""Bytes that one input may take beside what the process has."""
SECONDS: Final = 30
"""Processor time that one input may take."""
_LIMIT: Final = 170.0

HOSTILE: Final = (
    b"",
    b"a" * 10_000_000,
    b"\x00" * 1_000_000,
    b"\xff" * 1_000_000,
    b"[" * 1_000_000,
    b'{"a":' * 100_000,
    b"9" * 1_000_000,
    b'"' * 1_000_000,
)
"""What every parser must stand."""

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.fuzz.targets"])


def stands(target: Target, inputs: Sequence[bytes]) -> str:
    """What went wrong with the first of `inputs` that `target` does not stand within limits; or nothing."""
    at = _context.Value("i", -1)
    child = _context.Process(target=_try_all, args=(target.name, inputs, at), daemon=True)
    child.start()
    child.join(_LIMIT)
    if child.exitcode == 0:
        return ""
    how = "did not end" if child.exitcode is None else f"ended with {child.exitcode}"
    child.kill()
    data = inputs[at.value]
    return f"{target.name} {how} at input {at.value}: {len(data)} bytes, {data[:60]!r} …"


def _try_all(name: str, inputs: Sequence[bytes], at: "Synchronized[int]") -> None:
    from tests.fuzz.targets import TARGETS

    check = TARGETS[name].check
    taken = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number, data in enumerate(inputs):
        at.value = number
        used = resource.getrusage(resource.RUSAGE_SELF)
        until = int(used.ru_utime + used.ru_stime) + SECONDS
        resource.setrlimit(resource.RLIMIT_CPU, (until, resource.RLIM_INFINITY))
        check(data)
