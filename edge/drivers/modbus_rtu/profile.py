"""What to ask a model of device, and what its registers mean. Pure; knows no wire.

A device type's `modbus` section lists registers as its manual does. `plan` turns them into as few
requests as possible (neighbours are read together, gaps are not: many devices refuse registers they do
not have), `Read.values` turns an answer into native values.
"""

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, Literal

from readings import Scalar
from registry.device_types import ModbusProfile, Register

Table = Literal["coil", "discrete", "holding", "input"]

FUNCTION_CODES: Final[dict[Table, int]] = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
_MOST_WORDS: Final = 125
_MOST_BITS: Final = 2_000
_STRUCTS: Final = {"u16": ">H", "s16": ">h", "u32": ">I", "s32": ">i", "f32": ">f"}


@dataclass(frozen=True, slots=True)
class Read:
    """One request: `count` registers (or bits) of `table` from wire address `address`."""

    table: Table
    address: int
    count: int
    registers: tuple[tuple[Register, int], ...]
    """Each register and its offset in the answer."""

    def values(self, answer: Sequence[int] | Sequence[bool]) -> Iterator[tuple[str, Scalar]]:
        """Native point and value of every register in `answer` (words, or bits of `coil`, `discrete`)."""
        for register, offset in self.registers:
            yield register.point, _value(register, answer[offset : offset + _size(register)])


def plan(profile: ModbusProfile) -> tuple[Read, ...]:
    """The requests that read all of `profile`, by table and address; raises ValueError."""
    placed = sorted(
        (
            (register.table, register.address - profile.address_base, register)
            for register in profile.registers
        ),
        key=lambda entry: entry[:2],
    )
    reads: list[Read] = []
    for table, entries in groupby(placed, key=lambda entry: entry[0]):
        most = _MOST_BITS if table in ("coil", "discrete") else _MOST_WORDS
        start = end = -1
        group: list[tuple[Register, int]] = []
        for _, address, register in entries:
            if address < 0:
                raise ValueError(f"{register.point}: address {register.address} lies before the first")
            if group and (address > end or address + _size(register) - start > most):
                reads.append(Read(table, start, end - start, tuple(group)))
                group = []
            if not group:
                start = end = address
            group.append((register, address - start))
            end = max(end, address + _size(register))
        reads.append(Read(table, start, end - start, tuple(group)))
    return tuple(reads)


def _size(register: Register) -> int:
    return 2 if register.type in ("u32", "s32", "f32") else 1


def _value(register: Register, answer: Sequence[int] | Sequence[bool]) -> Scalar:
    if register.table in ("coil", "discrete"):
        return bool(answer[0])
    if register.type == "flags":
        return answer[0] != 0
    if register.bit is not None or register.type == "bit":
        return bool(answer[0] >> (register.bit or 0) & 1)
    words = answer if register.word_order == "big" else answer[::-1]
    raw: int | float = struct.unpack(_STRUCTS[register.type], struct.pack(f">{len(words)}H", *words))[0]
    if register.words:
        return register.words.get(raw, str(raw))  # type: ignore[arg-type]  # 1.0 finds 1, NaN nothing
    if register.scale == 1.0 and register.offset == 0.0:
        return raw
    scaled = raw * register.scale + register.offset
    # 305 × 0.1 is 30.500000000000004: digits beyond the scale's own are not the device's.
    return round(scaled, 9) if math.isfinite(scaled) else scaled
