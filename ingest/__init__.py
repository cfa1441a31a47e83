"""From the edges' samples to stored readings: the bus, the normaliser, the stores and the books.

A batch keeps its identity ``(edge, lane, seq)`` through every stage, and every stage remembers which
batches it has done *in the same transaction as what it did with them*. So a batch may be delivered
again at any time: it is acknowledged and nothing happens twice. `ingest.audit` proves it.

What a batch's samples mean (conversion, clocks, series marks) is pure; sockets are in `ingest.bus`,
`ingest.nats_server` and `ingest.stores.influx*`, files in `ingest.ledger`, `ingest.books` and
`ingest.stores.embedded*`. Rules, cases and the API may not come in.
"""
