"""The numbers of batches: where an outbox begins to count, and how to tell its batches from another's.

Every number of an outbox lies in one block of ``2**36``, the outbox's *life*. A box that is replaced, or
whose disk or folder is lost, begins another life: its numbers have never been used, so no stage takes
its batches for done, and what its books say is compared with the batches of this life alone. Numbers of
outboxes stay below ``2**62``.

The ledger gives out numbers too, for what it brings in from quarantine. They lie above, below ``2**63``:
no outbox can draw them, and SQLite, MessagePack and JSON decoders carry them exactly.
"""

from typing import Final

LIFE_BITS: Final = 36
"""One life's numbers: at 100 batches a second at least ten years of them."""
LIVES_BITS: Final = 26
OUTBOX_NUMBERS: Final = 1 << (LIFE_BITS + LIVES_BITS)
"""Numbers of outboxes are below this, those of ledgers are not."""


def life_of(seq: int) -> int:
    """The life that the batch number `seq` belongs to."""
    return seq >> LIFE_BITS


def base_of(random_bits: int) -> int:
    """The number before an outbox's first, from 61 random bits: a life, and a place in its lower half.

    The place makes that two outboxes of an edge that drew the same life (1 in 67 million) still do not
    use the same numbers; only their accounts would be mixed, which an audit shows.
    """
    life, place = divmod(random_bits, 1 << (LIFE_BITS - 1))
    return ((life % (1 << LIVES_BITS)) << LIFE_BITS) + place


def ledger_base_of(random_bits: int) -> int:
    """The number before a ledger's first, from 61 random bits."""
    return OUTBOX_NUMBERS + base_of(random_bits)
