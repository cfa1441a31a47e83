"""Why received bytes were no answer, in words for the dead letter. Frames themselves are pymodbus' work.

Frame: id, function code, data, CRC-16 (poly 0xA001 reflected, init 0xFFFF, low byte first).
"""

from typing import Final

from pymodbus.framer import FramerRTU

_SHORTEST: Final = 5


def verdict(received: bytes, unit: int, function: int) -> str:
    """The reason why `received` is no answer of `unit` to `function` (0 and 0: nobody was asked)."""
    if not unit:
        return "bytes that nobody asked for"
    if received[0] != unit:
        return f"not from device {unit}: the first byte is 0x{received[0]:02x}"
    code = received[1] if len(received) > 1 else function
    if code & 0x7F != function:
        return f"function code 0x{code:02x} instead of 0x{function:02x}"
    expected = _SHORTEST
    if code == function and len(received) > 2:
        expected = 5 + received[2]
    if len(received) < expected:
        return f"half a frame: {len(received)} of {expected} bytes"
    crc = FramerRTU.compute_CRC(received[: expected - 2])
    if crc.to_bytes(2, "big") != received[expected - 2 : expected]:
        return "wrong CRC"
    return f"{len(received)} bytes that do not fit the request"
