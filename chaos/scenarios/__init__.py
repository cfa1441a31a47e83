"""Every scenario by name: one coroutine each, told as a story of load, break and mend."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from chaos.scenarios import backlog, broker, clocks, disks, kills, links, power, soak
from chaos.stage import Stage
from language import N_

Play = Callable[[Stage], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is done, and one sentence about it."""

    play: Play
    about: str


SCENARIOS: Final[dict[str, Scenario]] = {
    "calm": Scenario(kills.calm, N_("nothing is broken: what everything else is measured against")),
    "kill-edge": Scenario(kills.edge, N_("kill -9 of edge agents at random moments")),
    "kill-bus": Scenario(kills.bus, N_("kill -9 of the NATS server at random moments")),
    "kill-core": Scenario(kills.core, N_("kill -9 of the core's processes at random moments")),
    "kill-sender": Scenario(kills.sender, N_("kill -9 of the devices' side at random moments")),
    "kill-all": Scenario(kills.everything, N_("kill -9 of any process, several at once")),
    "cut": Scenario(links.cut, N_("links reset and refused, again and again")),
    "slow": Scenario(links.slow, N_("links with 300 ms delay and 64 kB/s")),
    "corrupt": Scenario(links.corrupt, N_("bits turned over on the way, behind the checksums of TCP")),
    "silence": Scenario(links.silence, N_("a link that goes silent for 25 s")),
    "long-silence": Scenario(links.long_silence, N_("a link that goes silent for 10 minutes")),
    "cable": Scenario(links.cable, N_("the network cable of an edge pulled out, in a network namespace")),
    "forgotten": Scenario(links.forgotten, N_("connections that a router forgets and nobody ends")),
    "restart-in-cut": Scenario(links.restart_in_cut, N_("both ends restarted while the link is cut")),
    "broker-restart": Scenario(
        broker.restart, N_("the MQTT broker restarted with 10,000 messages in flight")
    ),
    "ten-times": Scenario(broker.ten_times, N_("every frame delivered ten times")),
    "backlog": Scenario(
        backlog.backlog, N_("a million samples wait for the link, with a smoke alarm in the middle of them")
    ),
    "full-core": Scenario(disks.full_core, N_("the core's disk is full, and it burns")),
    "ill-bus": Scenario(disks.ill_bus, N_("the core's disk fills faster than anybody can make room")),
    "full-edge": Scenario(
        disks.full_edge, N_("an edge with a full disk and no link is killed, and it burns")
    ),
    "greedy": Scenario(disks.greedy, N_("another program takes every free byte of the edges' disk")),
    "thinned": Scenario(disks.thinned, N_("an outbox too small for the outage")),
    "spoilt-outbox": Scenario(disks.spoilt, N_("pages in the middle of an outbox are written over")),
    "clock-jumps": Scenario(clocks.jumps, N_("the edges' clocks jump by hours, back and forth")),
    "power": Scenario(power.power, N_("power cuts that leave half of what was being written in every file")),
    "soak": Scenario(soak.soak, N_("half an hour at 5,000 readings a second: does anything grow?")),
}
