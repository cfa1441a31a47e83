"""Batches: samples cut into what a server takes, and rows that waited put together into fuller batches."""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from readings import Lane, Sample, SampleBatch, wire

BATCH_SAMPLES: Final = 500
"""A batch holds at most so many samples …"""
BATCH_BYTES: Final = 512 * 1024
"""… and is halved until it has no more bytes: half of a NATS server's default ``max_payload``."""
NO_NUMBER: Final = 0
"""What stands for the number in the payload of a row that has none yet."""


class Cut(NamedTuple):
    """One batch, encoded."""

    seq: int
    payload: bytes
    samples: int

    @property
    def checksum(self) -> int:
        """CRC-32 of the payload."""
        return zlib.crc32(self.payload)


def cut(edge: str, lane: Lane, samples: Sequence[Sample], after: int | None) -> Iterator[Cut]:
    """`samples` as batches numbered from `after` + 1, or without numbers; raises `wire.Unencodable`."""
    parts = [tuple(samples[at : at + BATCH_SAMPLES]) for at in range(0, len(samples), BATCH_SAMPLES)]
    seq = NO_NUMBER if after is None else after + 1
    while parts:
        part = parts.pop(0)
        payload = wire.encode(SampleBatch(edge, lane, seq, part))
        if len(payload) > BATCH_BYTES and len(part) > 1:
            parts[:0] = [part[: len(part) // 2], part[len(part) // 2 :]]
            continue
        yield Cut(seq, payload, len(part))
        seq += after is not None


def joined(edge: str, lane: Lane, seq: int, payloads: Iterable[bytes]) -> bytes:
    """The samples of `payloads` as one batch; the same payloads always give the same bytes."""
    samples = [sample for payload in payloads for sample in wire.decode_samples(payload).samples]
    return wire.encode(SampleBatch(edge, lane, seq, tuple(samples)))


def fits(samples: int, size: int, more_samples: int, more_bytes: int) -> bool:
    """Whether a batch of `samples` and `size` bytes may take so many more."""
    return samples + more_samples <= BATCH_SAMPLES and size + more_bytes <= BATCH_BYTES
