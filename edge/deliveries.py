"""Keys of the messages a broker delivered, to tell a redelivery from news.

After a crash between commit and acknowledgement the broker sends the message again, with the DUP flag
and (MQTT 3.1.1, 4.4) the same packet identifier. A message is a redelivery when it carries DUP and its
identifier was last seen with the same content. An identifier is 16 bits, so one table of 65,536 digests
per connection holds every key there can be; a new message under an old identifier overwrites it.
"""

import hashlib
from array import array
from collections.abc import Iterable
from typing import Final

_IDENTIFIERS: Final = 65_536
_TOPICS: Final = 8_192


def digest(topic: bytes, payload: bytes) -> int:
    """64 bits that stand for a message's content; never 0."""
    content = hashlib.blake2b(topic, digest_size=8, usedforsecurity=False)
    content.update(payload)
    return int.from_bytes(content.digest(), "little") or 1


class DeliveryKeys:
    """The keys of one connection: 512 kB once something was delivered, nothing before."""

    def __init__(self) -> None:
        self._seen: array[int] | None = None
        self._latest: dict[str, int] = {}

    def is_news(self, topic: str, content: int, *, retained: bool) -> bool:
        """Whether a message says something new; only a retained one, repeated by the broker, may not.

        A broker sends what it retains at every subscription, also what was taken live before.
        """
        if retained and self._latest.get(topic) == content:
            return False
        if len(self._latest) >= _TOPICS and topic not in self._latest:
            self._latest.clear()
        self._latest[topic] = content
        return True

    def remember(self, identifier: int, content: int) -> None:
        """`content` was taken under `identifier`: the agent has it in hand or on disk."""
        if self._seen is None:
            self._seen = array("Q", bytes(8 * _IDENTIFIERS))
        self._seen[identifier & 0xFFFF] = content

    def knows(self, identifier: int, content: int) -> bool:
        """Whether a message flagged DUP was taken before."""
        return self._seen is not None and self._seen[identifier & 0xFFFF] == content


def pack(keys: Iterable[tuple[int, int]]) -> bytes:
    """Keys as the outbox stores them: (identifier, digest) pairs of 8 bytes each, in the machine's order."""
    flat = array("Q")
    for key in keys:
        flat.extend(key)
    return flat.tobytes()


def unpack(packed: bytes) -> Iterable[tuple[int, int]]:
    """The reverse of `pack`."""
    flat = array("Q", packed)
    return zip(flat[::2], flat[1::2], strict=True)
