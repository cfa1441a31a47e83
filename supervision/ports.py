"""Ports for servers that nobody else has to know of."""

import random
import socket
from contextlib import suppress
from typing import Final

_PORTS: Final = range(10_000, 32_000)
"""Linux gives those from 32768 on to whoever connects somewhere. Such a connection can take the port of a
server that is being started again; a client that tries to reach the server can even reach itself."""


def free_ports(count: int) -> list[int]:
    """TCP ports of the loopback interface that nobody uses now, nor takes while their server is down."""
    found: list[int] = []
    for port in random.SystemRandom().sample(_PORTS, len(_PORTS)):
        if len(found) == count:
            break
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            found.append(port)
    return found
