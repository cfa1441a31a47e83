"""Devices that are not there: they speak the real protocols on the real wires.

A simulator owns the device side of a wire (a pseudo terminal with an RS-485 bus behind it, a client
on an MQTT broker) and could be swapped for hardware without anybody noticing. It learns from the
registry which devices exist on which wire, and knows nothing of edges, gateways, rules or cases; what
it sent is what it wrote down in its own record, so that an audit can compare value by value.
"""
