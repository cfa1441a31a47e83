"""What fuzzing aims at: a parser of bytes from outside, and what must hold for every input."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from readings import Sample, SampleBatch, wire
from readings.lanes import Lane


@dataclass(frozen=True)
class Target:
    """One parser.

    `check` feeds it `data` and raises AssertionError when something that must hold does not; any other
    exception is a finding as well. `examples` are well-formed inputs to change, `words` the tokens of the
    format, both for the mutations of `mutation` and of the longer runs.
    """

    name: str
    check: Callable[[bytes], None]
    examples: tuple[bytes, ...]
    words: tuple[bytes, ...] = ()
    runs: int = 100
    """How many inputs ./test tries."""
    hostile: tuple[bytes, ...] = field(default=(), repr=False)
    """Inputs of hostile size or depth beside those that every parser gets."""


def same(left: Any, right: Any) -> bool:
    """Equality in which NaN equals NaN, and True is not 1."""
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and (left == right or (left != left and right != right))


def travels(samples: list[Sample]) -> None:
    """`samples` reach the other end of the bus as they are."""
    sent = SampleBatch("e1", Lane.ALARM, 1, tuple(samples))
    arrived = wire.decode_samples(wire.encode(sent))
    assert len(arrived.samples) == len(samples)
    for one, other in zip(samples, arrived.samples, strict=True):
        assert same(one.value, other.value), (one, other)
        assert (one.source, one.point, one.taken, one.time, one.event) == (
            other.source, other.point, other.taken, other.time, other.event,
        )  # fmt: skip
