"""The drivers: one file or folder each, and one line here.

A driver is a class with typed `settings` that yields intakes (`edge.intake.Driver`). It is imported when a
connection uses it, so an edge without a serial line carries no Modbus library.
"""

from importlib import import_module
from typing import Any, Final

from edge.intake import Driver

DRIVERS: Final = {
    "frigate": "edge.drivers.frigate:Frigate",
    "modbus-rtu": "edge.drivers.modbus_rtu.driver:ModbusRtu",
    "zigbee2mqtt": "edge.drivers.zigbee2mqtt:Zigbee2Mqtt",
}


def driver_class(name: str) -> type[Driver]:
    """The driver called `name` in a connection; raises KeyError for an unknown one."""
    module, _, attribute = DRIVERS[name].partition(":")
    found: Any = getattr(import_module(module), attribute)
    driver: type[Driver] = found
    return driver
