"""The places: 749 with a posted sign (buildings, shops, street spots), and rooms where devices hang.

A room is made when the first device wants it; its id and position depend on nothing but what it is.
"""

import zlib
from collections.abc import Sequence
from typing import Final

from registry.grids import GridKind, Place
from simulators.community.grids import Cell

UNITS: Final = 3
"""Entrances of a residential building."""
FLOORS: Final = 18

_WEST, _SOUTH = 117.266, 31.711
_COMPOUND_WIDTH, _COMPOUND_HEIGHT = 0.0070, 0.0085
"""Degrees: about 660 m by 940 m; two rows of four compounds around 31.72 N 117.28 E."""

_SPECIAL: Final = (
    ("centre", "滨湖世纪社区服务中心", "Binhu Century Community Centre", "S2-01-01", "centre-closed"),
    ("kindergarten", "滨湖世纪幼儿园", "Binhu Century Kindergarten", "R2-01-01", "kindergarten-closed"),
    ("market", "滨湖世纪农贸市场", "Binhu Century Market", "C1-01-01", "market-closed"),
    ("culture", "滨湖世纪文化活动中心", "Binhu Century Culture Hall", "S1-01-01", "centre-closed"),
)


class Places:
    """Makes places and keeps them in the order in which they were wanted."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self.made: dict[str, Place] = {}
        self.signs = 0
        self._first_in = {cell.parent: cell for cell in reversed(cells) if cell.level == 3}
        self._numbers = {cell.id: cell for cell in cells}
        self.sections = [c for c in cells if c.level == 2 and c.kind is GridKind.RESIDENTIAL]
        self.buildings = [c for c in cells if c.level == 3 and c.kind is GridKind.RESIDENTIAL]
        self.blocks = [c for c in cells if c.level == 3 and c.kind is GridKind.STREET]
        self.shop_groups = [c for c in cells if c.level == 3 and c.kind is GridKind.COMMERCIAL]
        for building in self.buildings:
            self._place(f"{_building(building)}", building, "", "", building=building.zh, sign=True)
        for block in self.blocks:
            self.street(block, sign=True)
        for group in self.shop_groups:
            self._place(_shops(group), group, "服务台", "desk", building=group.zh, sign=True)
        for slug, zh, en, grid, closed in _SPECIAL:
            cell = self._numbers[grid]
            self._add(slug, cell, {"zh": zh, "en": en}, building=zh, closed=closed, sign=True)

    def kitchen(self, building: Cell, unit: int, floor: int) -> Place:
        """The kitchen of the flat that is watched on this floor."""
        return self._on_floor(building, unit, floor, "kitchen", f"{floor}01室厨房", f"flat {floor}01 kitchen")

    def corridor(self, building: Cell, unit: int, floor: int) -> Place:
        """The corridor outside the flats; one fire zone with the kitchen."""
        return self._on_floor(building, unit, floor, "corridor", f"{floor}层走廊", f"floor {floor} corridor")

    def stairs(self, building: Cell, unit: int, floor: int) -> Place:
        """The landing of a floor."""
        return self._on_floor(building, unit, floor, "stairs", f"{floor}层楼梯间", f"floor {floor} stairs")

    def entrance(self, building: Cell, unit: int) -> Place:
        """The door and hall of a unit."""
        return self._place(
            f"{_building(building)}-{unit}-entrance",
            building,
            f"{unit}单元门厅",
            f"unit {unit} entrance",
            building=building.zh,
            unit=str(unit),
            floor="1",
        )

    def cellar(self, section: Cell, room: str) -> Place:
        """A section's underground ``garage``, or its ``plant`` room."""
        zh, en = {"garage": ("地下车库", "garage"), "plant": ("设备间", "plant room")}[room]
        name = f"{section.named.slug}-s{section.number:02}-{room}"
        text = {"zh": f"{section.zh}{zh}", "en": f"{section.en} {en}"}
        return self._add(
            name, self._first_in[section.id], text, building=f"{section.zh}地下", floor="B1", fire_zone=name
        )

    def street(self, block: Cell, *, sign: bool = False) -> Place:
        """The patrol point of a block of street."""
        return self._place(f"{block.id.lower()}-spot", block, "巡查点", "patrol point", sign=sign)

    def shop(self, group: Cell, number: int) -> Place:
        """A shop, closed at night."""
        return self._place(
            f"{_shops(group)}-{number:03}",
            group,
            f"{number}号铺",
            f"shop {number}",
            building=group.zh,
            unit=str(number),
            floor="1",
            fire_zone=_shops(group),
            closed="shops-closed",
        )

    def special(self, slug: str, room: str = "", zh: str = "", en: str = "") -> Place:
        """The community centre, kindergarten, market or culture hall, or a room there."""
        whole = self.made[slug]
        if not room:
            return whole
        text = {"zh": f"{whole.name['zh']}{zh}", "en": f"{whole.name['en']} {en}"}
        cell = self._numbers[whole.grid]
        return self._add(
            f"{slug}-{room}", cell, text, building=whole.building, fire_zone=slug, closed=whole.closed
        )

    def _on_floor(self, building: Cell, unit: int, floor: int, room: str, zh: str, en: str) -> Place:
        zone = f"{_building(building)}-{unit}-{floor}"
        return self._place(
            f"{zone}-{room}",
            building,
            f"{unit}单元{zh}",
            f"unit {unit} {en}",
            building=building.zh,
            unit=str(unit),
            floor=str(floor),
            fire_zone=zone,
        )

    def _place(
        self,
        name: str,
        cell: Cell,
        zh: str,
        en: str,
        *,
        building: str = "",
        unit: str = "",
        floor: str = "",
        fire_zone: str = "",
        closed: str = "",
        sign: bool = False,
    ) -> Place:
        text = {"zh": f"{cell.zh}{zh}", "en": f"{cell.en} {en}".strip()}
        return self._add(
            name,
            cell,
            text,
            building=building,
            unit=unit,
            floor=floor,
            fire_zone=fire_zone,
            closed=closed,
            sign=sign,
        )

    def _add(
        self,
        name: str,
        cell: Cell,
        text: dict[str, str],
        *,
        building: str = "",
        unit: str = "",
        floor: str = "",
        fire_zone: str = "",
        closed: str = "",
        sign: bool = False,
    ) -> Place:
        if name not in self.made:
            self.signs += sign
            x, y = _position(cell, name)
            self.made[name] = Place(
                id=name,
                name=text,
                grid=cell.id,
                building=building,
                unit=unit,
                floor=floor,
                fire_zone=fire_zone,
                closed=closed,
                sign=f"{self.signs:04}" if sign else "",
                x=x,
                y=y,
            )
        return self.made[name]


def _building(building: Cell) -> str:
    return f"{building.named.slug}-{building.number}"


def _shops(group: Cell) -> str:
    return f"plaza-{group.number:02}"


def _position(cell: Cell, name: str) -> tuple[float, float]:
    """Longitude and latitude: compounds in two rows, streets between them, the plaza in the middle."""
    jitter = zlib.crc32(name.encode())
    dx, dy = (jitter % 1000 / 1000 - 0.5) * 0.00015, (jitter // 1000 % 1000 / 1000 - 0.5) * 0.00015
    number = cell.number - 1
    match cell.kind:
        case GridKind.RESIDENTIAL:
            first = int(cell.id[1]) - 1
            x = _WEST + (first % 4) * _COMPOUND_WIDTH + (number % 8 + 1) * _COMPOUND_WIDTH / 9.5
            y = _SOUTH + (first // 4) * _COMPOUND_HEIGHT * 1.1 + (number // 8 + 1) * _COMPOUND_HEIGHT / 9.5
        case GridKind.STREET:
            row = int(cell.id[1]) - 1
            x = _WEST + number / 90 * 4 * _COMPOUND_WIDTH
            y = _SOUTH + row * _COMPOUND_HEIGHT * 1.1 - 0.0003
        case GridKind.COMMERCIAL:
            x = _WEST + 4.1 * _COMPOUND_WIDTH + number % 5 * 0.0006
            y = _SOUTH + _COMPOUND_HEIGHT + number // 5 * 0.0005
    return round(x + dx, 6), round(y + dy, 6)
