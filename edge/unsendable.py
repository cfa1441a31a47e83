"""Values that a driver may hold and the wire cannot carry: whole numbers beyond 64 bits, half a surrogate
pair in a text. Each becomes a dead letter in its own place, one for one, so that the books still count it.
"""

import base64
from collections.abc import Iterable
from typing import Final

from edge.intake import RAW_LIMIT
from readings import Lane, Sample, SampleBatch, wire
from readings.vocabulary import MALFORMED

_INT64: Final = 1 << 63


def sendable(samples: Iterable[Sample], now: int) -> list[Sample]:
    """`samples`, each that cannot be encoded replaced by a dead letter; `now` (ns) where its time cannot."""
    return [sample if _is_sendable(sample) else _letter(sample, now) for sample in samples]


def _is_sendable(sample: Sample) -> bool:
    try:
        wire.encode(SampleBatch("", Lane.TELEMETRY, 1, (sample,)))
    except wire.Unencodable:
        return False
    return True


def _letter(sample: Sample, now: int) -> Sample:
    value = sample.value
    # In hexadecimal: Python refuses to write thousands of decimal digits.
    text = hex(value) if isinstance(value, int) else str(value)
    raw = _plain(text[:RAW_LIMIT]).encode()[:RAW_LIMIT]
    reason = f"{_plain(sample.point)}: not a value that can be sent"
    taken = sample.taken if -_INT64 <= sample.taken < _INT64 else now
    return Sample(
        _plain(sample.source), MALFORMED, base64.b64encode(raw).decode("ascii"), taken, event=reason[:200]
    )


def _plain(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
