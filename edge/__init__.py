"""The edge agent: takes what devices say, promises nothing before it is on disk, sends it on.

driver → `Intake` → `Collector` (group commit) → `Outbox` (SQLite) → acknowledgement to the device →
`Uplink` (JetStream). Each stage hands over by return value or queue; a driver acknowledges only after
the outbox commit, a batch leaves the outbox only after JetStream stored it.

An edge knows device types and its own wiring, no grids, places or people. It runs on a 32-bit Pi: no
web framework, no ORM, no terminal library may come in here, and drivers import their protocol's
library only when a connection uses them.
"""
