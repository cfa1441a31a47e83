"""A child that ends with its parent, kill -9 of the parent included."""

import ctypes
import os
import signal
from collections.abc import Callable
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def die_with(parent: int) -> Callable[[], None]:
    """For `preexec_fn`: what a child does before it becomes its program, to be ended when `parent` dies.

    The kernel sends SIGTERM when the *thread* that started the child ends, so start children in the main
    thread. Everything is looked up before the fork; afterwards only two system calls happen.
    """
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def in_the_child() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # it died in between
            os._exit(1)

    return in_the_child
