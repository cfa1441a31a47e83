"""Devices and the wiring they hang on."""

from typing import Any

from pydantic import Field

from registry.model import Model


class Device(Model):
    """One installed device: a line of the installer's spreadsheet."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    type: str = Field(description="Id of a device type.")
    place: str = Field(description="Id of the place it hangs in.")
    edge: str = Field(description="The edge agent that reads it.")
    connection: str = Field(description="The connection of that edge: a serial port, a broker.")
    address: str = Field(description="Native address there: Modbus id, friendly name, camera name.")
    name: str = Field("", description="What people call it; empty: type and place.")
    overrides: dict[str, float] = Field(
        {}, description="Rule thresholds for this device: `rule.level` = value."
    )

    @property
    def source(self) -> str:
        """The address that this device's samples carry."""
        return f"{self.connection}/{self.address}"


class Connection(Model):
    """One wire of an edge agent: the driver and its settings."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    driver: str = Field(description="modbus-rtu, zigbee2mqtt, frigate …")
    settings: dict[str, Any] = Field({}, description="The driver's own settings; validated by the driver.")


class EdgeWiring(Model):
    """What one edge agent reads (``edges/*.yaml``)."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    name: str = ""
    place: str = Field("", description="Where the box hangs.")
    connections: tuple[Connection, ...]
