"""Breaking an installation on purpose, and proving that nothing was lost and nothing counts twice.

A scenario starts a whole installation (real NATS, real Mosquitto, the core, edge agents, simulated devices),
loads it, breaks and mends something, waits until it is quiet, and compares *value by value* what the senders
were promised with what is stored. Every choice comes from one seed, so a failing run can be repeated.

The same machinery serves `gridwarden chaos` and the tests in ``tests/faults``. Product code never imports
this room.
"""
