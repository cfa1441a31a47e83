"""By what names and addresses other machines may reach this one."""

import socket

from links.addresses import Address, is_loopback

_ELSEWHERE = ("192.0.2.1", 9)
"""An address that no machine has (RFC 5737); nothing is sent there."""


def own_names(host: str) -> list[str]:
    """What edges may call a server that listens on `host`, the most likely first."""
    if not Address(host, 0).is_everywhere:
        return [host]
    names = [_outward_address(), socket.gethostname()]
    return [*dict.fromkeys(name for name in names if name and not is_loopback(name))] or [
        socket.gethostname()
    ]


def _outward_address() -> str:
    """The address of the interface that leads to other networks; empty when there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ELSEWHERE)
        except OSError:
            return ""
        return str(probe.getsockname()[0])
