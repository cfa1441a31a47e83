"""The protocol of sd_notify(3): one datagram to the socket that the service manager named."""

import logging
import os
import socket
from typing import Final

log = logging.getLogger("supervision")

_LIMIT: Final = 1.0
"""Seconds that a service manager may take to make room for a message."""


def notify(*assignments: str) -> bool:
    """Tell the service manager, e.g. ``notify("READY=1", "STATUS=reading 12 wires")``.

    False when nobody asked to be told (``NOTIFY_SOCKET``) or nobody listens: no reason to stop working.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.settimeout(_LIMIT)
        try:
            sender.connect("\0" + address[1:] if address.startswith("@") else address)
            sender.sendall("\n".join(assignments).encode())
        except OSError as error:
            log.warning("the service manager cannot be told %s: %s", assignments[0], error)
            return False
    return True


def watchdog_seconds() -> float:
    """How long the service manager waits for a sign of life of this process; 0: for ever."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0  # it is our parent that is watched
    try:
        return max(0, int(os.environ.get("WATCHDOG_USEC", "0"))) / 1e6
    except ValueError:
        return 0.0
