"""Names on the bus: streams, subjects and message identities.

``samples.<partition>.<edge>.<lane>`` and ``readings.<partition>.<lane>``, one stream per lane, so that
an alarm never queues behind telemetry. The partition is a hash of the edge; a single machine uses
partition 0 only.
"""

import re
from typing import Final

from readings.lanes import Lane

OUTAGE_HEADER: Final = "Gw-Outage"
"""Set to ``1`` on a sample batch that waited in the outbox while the link was down."""

CORE_SUBJECTS: Final = "core.>"
"""What the core's own processes say to each other, and where a box that is invited asks to be let in."""
ABOUT_ME: Final = "$SYS.REQ.USER.INFO"
"""Where NATS (2.10 and later) tells a user who it is, what it may do, and what time it is."""

_TOKEN = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def is_token(text: str) -> bool:
    """Whether `text` may stand as one token of a subject: ``[a-z0-9-]``, 1 to 63 characters."""
    return _TOKEN.fullmatch(text) is not None


def samples_stream(lane: Lane) -> str:
    """The stream that keeps the edges' batches of `lane`."""
    return f"SAMPLES_{lane.value.upper()}"


def readings_stream(lane: Lane) -> str:
    """The stream that keeps the normalised batches of `lane`."""
    return f"READINGS_{lane.value.upper()}"


def samples_subject(edge: str, lane: Lane, partition: int = 0) -> str:
    """Where `edge` publishes its batches of `lane`; raises ValueError for an unusable edge id."""
    if not is_token(edge):
        raise ValueError(f"edge id {edge!r} must be 1 to 63 characters of a-z, 0-9 and '-'")
    return f"samples.{partition}.{edge}.{lane.value}"


def readings_subject(lane: Lane, partition: int = 0) -> str:
    """Where the normaliser publishes batches of `lane`."""
    return f"readings.{partition}.{lane.value}"


def message_id(edge: str, lane: Lane, seq: int) -> str:
    """The constant identity of a batch on every stream it passes (``Nats-Msg-Id``)."""
    return f"{edge}:{lane.value}:{seq}"


def edge_inbox(edge: str) -> str:
    """Prefix of the subjects on which `edge` gets answers: it may listen nowhere else."""
    return f"_INBOX.{edge}"


def enrolment_subject(edge: str) -> str:
    """Where a box that was invited to be `edge` asks to be let in; ``*`` for all."""
    return f"core.enrol.{edge}"


def enrolment_inbox(edge: str) -> str:
    """Prefix of the subjects on which that box gets its answer."""
    return f"_ENROL.{edge}"
