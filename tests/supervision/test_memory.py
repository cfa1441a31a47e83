"""Threads share one heap."""

import subprocess
import sys

THREADS = 4
PROGRAM = f"""
import ctypes, sys, threading
from supervision.memory import one_arena

if "one" in sys.argv:
    one_arena()
malloc = ctypes.CDLL(None).malloc
malloc.restype = ctypes.c_void_p
met = threading.Barrier({THREADS} + 1)

def take():
    malloc(1000)
    met.wait()
    met.wait()

for _ in range({THREADS}):
    threading.Thread(target=take, daemon=True).start()
met.wait()
with open("/proc/self/maps") as maps:
    spans = [[int(end, 16) for end in line.split()[0].split("-")] + [line.split()[1]] for line in maps]
# a heap is 64 MB at a multiple of 64 MB: some of it in use, the rest reserved without any right
heap = 64 << 20
print(sum(
    first % heap == 0 and end == rest and last == first + heap and rights == "---p"
    for (first, end, _), (rest, last, rights) in zip(spans, spans[1:])
))
met.wait()
"""


def heaps(*arguments: str) -> int:
    command = [sys.executable, "-c", PROGRAM, *arguments]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_no_thread_has_a_heap_of_its_own_once_it_is_asked_for() -> None:
    assert heaps() >= THREADS
    assert heaps("one") == 0
