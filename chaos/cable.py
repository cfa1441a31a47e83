"""A network cable that can be pulled out: one process runs at its far end, in a network namespace of its own.

A proxy (`chaos.proxy`) breaks connections; here the kernel's own network does: it loses the carrier, sends
again ever more rarely, and keeps the connections of both sides as a real machine's would.
"""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Final

from chaos.parts import Unbroken

_NETWORKS: Final = ip_network("10.192.0.0/10")
"""Private addresses (RFC 1918), four for each cable of each process."""


class NoCable(Unbroken):
    """This user may make no network namespace, or this kernel has none."""


@dataclass(frozen=True, slots=True)
class Cable:
    """From this machine, where it has the address `near`, to the namespace `namespace`."""

    namespace: str
    interface: str
    """Its end on this machine."""
    near: str

    def at_far_end(self, command: Sequence[str]) -> list[str]:
        """`command`, to run at the far end under the same process number."""
        return ["ip", "netns", "exec", self.namespace, *command]

    def pull(self) -> None:
        """Nothing passes, and nobody is told."""
        _run("ip", "link", "set", self.interface, "down")

    def plug(self) -> None:
        """Put it back."""
        _run("ip", "link", "set", self.interface, "up")


@contextmanager
def cable(number: int) -> Iterator[Cable]:
    """Lay the cable of that number (0 to 15); raises `NoCable`."""
    if os.geteuid() != 0:
        raise NoCable("only root may make a network namespace")
    first = 4 * (os.getpid() * 16 + number) % _NETWORKS.num_addresses
    near, away = str(_NETWORKS[first + 1]), str(_NETWORKS[first + 2])
    made = Cable(f"gridwarden-{os.getpid()}-{number}", f"gw{os.getpid()}-{number}", near)
    far = f"{made.interface}f"
    try:
        _run("ip", "netns", "add", made.namespace)
        _run("ip", "link", "add", made.interface, "type", "veth", "peer", far, "netns", made.namespace)
        _run("ip", "address", "add", f"{made.near}/30", "dev", made.interface)
        made.plug()
        _run("ip", "-n", made.namespace, "address", "add", f"{away}/30", "dev", far)
        _run("ip", "-n", made.namespace, "link", "set", far, "up")
        yield made
    finally:
        with suppress(NoCable):
            _run("ip", "netns", "delete", made.namespace)  # and both ends of the cable with it


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise NoCable(f"{command[0]}: {error.strerror} (Debian package: iproute2)") from error
    if done.returncode:
        raise NoCable(f"{' '.join(command)}: {done.stderr.strip()}")
