"""The reference community: Binhu Century (滨湖世纪社区), written as a site folder.

The counts of its grids are those of the case study (GRID.md): residential 8 / 169 / 455, street
3 / 67 / 267, commercial 1 / 7 / 23; 749 places carry a posted sign. People, addresses and devices are
invented. Everything follows from the seed, and an id never depends on how many devices there are: a
bigger community is the smaller one and more. No rules come from here; the folder takes those that ship.
"""

from simulators.community.devices import (
    CORRIDOR_SMOKE,
    KITCHEN,
    KITCHEN_CLIMATE,
    KITCHEN_SMOKE,
    STAIRS_CAMERA,
)
from simulators.community.writing import CommunitySummary, write_community

__all__ = [
    "CORRIDOR_SMOKE",
    "KITCHEN",
    "KITCHEN_CLIMATE",
    "KITCHEN_SMOKE",
    "STAIRS_CAMERA",
    "CommunitySummary",
    "write_community",
]
