"""Keys of the messages a broker delivered, to tell a redelivery from news.

After a crash between commit and acknowledgement the broker sends the message again, with the DUP flag
and (MQTT 3.1.1, 4.4) the same packet identifier. A message is a redelivery when it carries DUP and its
identifier was last seen with the same content. An identifier is 16 bits, so one table of 65,536 digests
per connection holds every key there can be; a new message under an old identifier overwrites it.
"""

import hashlib
import sqlite3
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

_IDENTIFIERS: Final = 65_536
_TOPICS: Final = 8_192
_KEPT: Final = 65_536
"""Keys per connection that stay on disk at least: by then every identifier has been used again."""


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

    def recall(self, identifier: int, content: int) -> None:
        """As `remember`, for what was taken before this process began: what it took itself is newer."""
        if self._seen is None or not self._seen[identifier & 0xFFFF]:
            self.remember(identifier, content)

    def knows(self, identifier: int, content: int) -> bool:
        """Whether a message flagged DUP was taken before."""
        return self._seen is not None and self._seen[identifier & 0xFFFF] == content


class DeliveryRows:
    """The keys on disk: table ``deliveries`` of the outbox, a row per commit and connection."""

    def __init__(self) -> None:
        self._rows: dict[str, deque[tuple[int, int]]] = {}
        """Per connection: (row id, keys in it), oldest first."""

    def recall(self, connection: sqlite3.Connection) -> Iterator[tuple[str, int, int]]:
        """Every key on disk, newest first: (connection, identifier, digest)."""
        self._rows.clear()
        for row, name, count, packed in connection.execute("SELECT * FROM deliveries ORDER BY id DESC"):
            self._rows.setdefault(name, deque()).appendleft((row, count))
            for identifier, content in _unpack(packed):
                yield name, identifier, content

    def write(
        self, connection: sqlite3.Connection, deliveries: Mapping[str, Sequence[tuple[int, int]]]
    ) -> Callable[[], None]:
        """Add keys and forget rows whose every identifier must have been used again since.

        The returned call makes it known here, once the transaction is committed.
        """
        changes: list[tuple[deque[tuple[int, int]], tuple[int, int], int]] = []
        for name, keys in deliveries.items():
            added = connection.execute(
                "INSERT INTO deliveries (connection, count, keys) VALUES (?, ?, ?)",
                (name, len(keys), _pack(keys)),
            ).lastrowid
            rows = self._rows.setdefault(name, deque())
            total = len(keys) + sum(count for _, count in rows)
            old = 0
            for _, count in rows:
                if total - count < _KEPT:
                    break
                total -= count
                old += 1
            gone = [(row,) for row, _ in islice(rows, old)]
            connection.executemany("DELETE FROM deliveries WHERE id = ?", gone)
            changes.append((rows, (added or 0, len(keys)), old))

        def book() -> None:
            for rows, row, old in changes:
                rows.append(row)
                for _ in range(old):
                    rows.popleft()

        return book


def _pack(keys: Iterable[tuple[int, int]]) -> bytes:
    """Keys as the outbox stores them: (identifier, digest) pairs of 8 bytes each, in the machine's order."""
    flat = array("Q")
    for key in keys:
        flat.extend(key)
    return flat.tobytes()


def _unpack(packed: bytes) -> Iterable[tuple[int, int]]:
    """The reverse of `_pack`."""
    flat = array("Q", packed)
    return zip(flat[::2], flat[1::2], strict=True)
