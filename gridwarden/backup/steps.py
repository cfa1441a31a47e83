"""Saying what is being done, how far it is, and how it ended: one line for each step."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from gridwarden.console_text import tell


class Step:
    """One line on the screen."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._percent = -1
        self._note = ""
        self._live = sys.stdout.isatty()

    def progress(self, done: int, total: int) -> None:
        """How much of it is done; shown where a line can be rewritten."""
        percent = 100 * done // total if total else 100
        if self._live and percent != self._percent:
            self._percent = percent
            self._show(f"{percent} %")

    def note(self, text: str) -> None:
        """What to say at its end."""
        self._note = text

    def _show(self, text: str, end: str = "") -> None:
        sys.stdout.write(f"\r  {self._what} … {text}\x1b[K{end}" if self._live else f"{text}{end}")
        sys.stdout.flush()


@contextmanager
def step(what: str) -> Iterator[Step]:
    """Say that `what` begins, and on the same line how it ended."""
    one = Step(what)
    sys.stdout.write(f"  {what} … ")
    sys.stdout.flush()
    ended = tell("failed")
    try:
        yield one
        ended = one._note or tell("done")
    finally:
        one._show(ended, "\n")
