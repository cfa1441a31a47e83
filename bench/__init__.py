"""Measuring a machine: what the platform does on it, with nothing left out of the path.

Every measurement is a module: it sets up an installation of its own (servers, gateway, edge as processes,
in a temporary folder, on free ports), loads it from another process, counts what is durably done, and cleans
up. A figure is what was counted, next to the goal; a measurement never chooses a kinder question.
"""
