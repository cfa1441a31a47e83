"""A Modbus device's memory, made from its profile: values into registers and bits.

The other direction of what a driver does: ``raw = (value - offset) / scale``, rounded to the
register's type, words in the profile's order, single bits set in a shared word.
"""

import math
import struct
from collections.abc import Callable
from typing import Final

from readings import Scalar
from registry.device_types import ModbusProfile, Register

_WIDTH: Final = {"bit": 1, "flags": 1, "u16": 1, "s16": 1, "u32": 2, "s32": 2, "f32": 2}
_RANGE: Final = {
    "u16": (0, 0xFFFF),
    "s16": (-0x8000, 0x7FFF),
    "u32": (0, 0xFFFFFFFF),
    "s32": (-0x80000000, 0x7FFFFFFF),
}


def width(register: Register) -> int:
    """How many addresses the value takes."""
    return _WIDTH[register.type]


def to_words(register: Register, value: Scalar) -> tuple[int, ...]:
    """The register's 16-bit words for a native `value`, in address order.

    A coil or discrete input is a word of 0 or 1. A value beyond the type's range stays at its end, as
    a sensor's does; NaN is only sayable in ``f32`` and is 0 elsewhere.
    """
    if (
        register.table in ("coil", "discrete")
        or register.type in ("bit", "flags")
        or register.bit is not None
    ):
        set_bit = bool(_raw(register, value))
        return (int(set_bit) << (register.bit or 0),)
    number = _raw(register, value)
    if register.type == "f32":
        high, low = struct.unpack(">HH", struct.pack(">f", number))
    else:
        lowest, highest = _RANGE[register.type]
        whole = 0 if math.isnan(number) else round(min(max(number, lowest), highest))
        if width(register) == 1:
            return (whole & 0xFFFF,)
        high, low = (whole >> 16) & 0xFFFF, whole & 0xFFFF
    return (high, low) if register.word_order == "big" else (low, high)


def from_words(register: Register, words: tuple[int, ...]) -> Scalar:
    """The native value that a reader makes of `words`: what `to_words` said after its rounding."""
    if register.table in ("coil", "discrete"):
        return bool(words[0])
    if register.type == "flags":
        return words[0] != 0
    if register.type == "bit" or register.bit is not None:
        return bool(words[0] >> (register.bit or 0) & 1)
    if width(register) == 1:
        number: float = words[0]
        if register.type == "s16" and words[0] & 0x8000:
            number -= 0x10000
    else:
        high, low = words if register.word_order == "big" else words[::-1]
        form = {"u32": ">I", "s32": ">i", "f32": ">f"}[register.type]
        (number,) = struct.unpack(form, struct.pack(">HH", high, low))
    if register.words:
        return register.words.get(int(number), str(int(number)))
    if register.scale == 1.0 and register.offset == 0.0:
        return number
    scaled = number * register.scale + register.offset
    return round(scaled, 9) if math.isfinite(scaled) else scaled


def _raw(register: Register, value: Scalar) -> float:
    if isinstance(value, str):
        return float(next((raw for raw, word in register.words.items() if word == value), 0))
    if isinstance(value, bool):
        return float(value)
    return (value - register.offset) / register.scale


class Memory:
    """The tables of one device model: which registers lie where."""

    def __init__(self, profile: ModbusProfile) -> None:
        self._tables: dict[str, list[tuple[int, Register]]] = {}
        for register in profile.registers:
            address = register.address - profile.address_base
            self._tables.setdefault(register.table, []).append((address, register))

    def read(
        self, table: str, address: int, count: int, value: Callable[[str], Scalar]
    ) -> tuple[list[int], list[tuple[str, Scalar]]] | None:
        """`count` words (or bits) from `address`, and the native points that were said whole by them.

        `value` gives the native value of a native point. None when the device has nothing there:
        exception 2. Gaps between two registers of the model read as 0.
        """
        registers = self._tables.get(table, [])
        end = address + count
        if not registers or address < min(at for at, _ in registers):
            return None
        if end > max(at + width(register) for at, register in registers):
            return None
        words = [0] * count
        said: list[tuple[str, Scalar]] = []
        for at, register in registers:
            if at >= end or at + width(register) <= address:
                continue
            these = to_words(register, value(register.point))
            for place, word in enumerate(these, start=at - address):
                if 0 <= place < count:
                    words[place] |= word
            if at >= address and at + width(register) <= end:
                said.append((register.point, from_words(register, these)))
        return words, said
