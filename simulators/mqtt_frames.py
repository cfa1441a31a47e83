"""The few MQTT 3.1.1 packets that a load generator needs. Source: OASIS MQTT Version 3.1.1."""

import asyncio
import struct
from collections.abc import AsyncIterator


def connect(identifier: str, username: str | None, password: str | None, keepalive: int = 0) -> bytes:
    """CONNECT with a clean session; `keepalive` 0 asks for none (section 3.1)."""
    flags = 0x02 | (0x80 if username is not None else 0) | (0x40 if password is not None else 0)
    body = _text("MQTT") + bytes([4, flags]) + struct.pack(">H", keepalive) + _text(identifier)
    for secret in (username, password):
        body += b"" if secret is None else _text(secret)
    return b"\x10" + length(len(body)) + body


def publish(topic: bytes, payload: bytes, identity: int) -> bytes:
    """PUBLISH with QoS 1 (section 3.3); `identity` is the packet identifier, 1 to 65535."""
    size = 4 + len(topic) + len(payload)
    return b"\x32%b%b%b%b%b" % (
        length(size),
        len(topic).to_bytes(2, "big"),
        topic,
        identity.to_bytes(2, "big"),
        payload,
    )


def length(size: int) -> bytes:
    """The remaining length, seven bits a byte (section 2.2.3)."""
    if size < 128:
        return bytes((size,))
    encoded = bytearray()
    while True:
        size, low = divmod(size, 128)
        encoded.append(low | (0x80 if size else 0))
        if not size:
            return bytes(encoded)


async def read_packets(reader: asyncio.StreamReader) -> AsyncIterator[tuple[int, bytes]]:
    """First byte's high nibble and body of each packet, until the stream ends."""
    data = bytearray()
    while block := await reader.read(65_536):
        data += block
        at = 0
        while (packet := _packet(data, at)) is not None:
            start, end = packet
            yield data[at] & 0xF0, bytes(data[start:end])
            at = end
        del data[:at]


def _packet(data: bytearray, at: int) -> tuple[int, int] | None:
    """Where the body of the packet at `at` begins and ends; None while it is not whole."""
    size, shift, place = 0, 0, at + 1
    while place < len(data):
        byte = data[place]
        size |= (byte & 0x7F) << shift
        shift += 7
        place += 1
        if not byte & 0x80:
            return (place, place + size) if place + size <= len(data) else None
    return None


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack(">H", len(encoded)) + encoded
