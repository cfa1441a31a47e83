"""A serial line whose smoke detector a test sets off."""

import os
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

QUIET = bytes.fromhex("FF 02 01 01 51 A0")
SMOKE = bytes.fromhex("FF 02 01 00 90 60")


@contextmanager
def smoke_detector() -> Iterator[tuple[Path, threading.Event]]:
    """A Novabo detector on a pseudo-terminal: (the port, an event that sets it off).

    On its wire 1 means that all is well.
    """
    master, slave = os.openpty()
    tty.setraw(slave)
    fire, over = threading.Event(), threading.Event()

    def answer() -> None:
        while not over.is_set():
            try:
                request = os.read(master, 64)
            except OSError:
                return
            if len(request) >= 8 and not over.is_set():
                os.write(master, SMOKE if fire.is_set() else QUIET)

    line = threading.Thread(target=answer, daemon=True)
    line.start()
    try:
        yield Path(os.ttyname(slave)), fire
    finally:
        over.set()
        os.write(slave, bytes(8))  # ends the read
        line.join(5)
        os.close(master)
        os.close(slave)
