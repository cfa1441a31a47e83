"""The core's configuration, as far as ingest needs it: validated as a whole, secrets only by file name."""

import os
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from language import N_
from links.addresses import is_loopback, objection_to
from links.secret_files import BUS_PASSWORD
from registry.model import Invalid, Model


class BusConfig(Model):
    """Where NATS JetStream is."""

    url: str = Field("nats://127.0.0.1:4222", description="Server address; tls:// for an encrypted link.")
    user: str = Field("", description="NATS user; empty: no authentication.")
    password_file: Path | None = Field(
        None, description="File (mode 600) that holds the password; or set GRIDWARDEN_BUS_PASSWORD."
    )
    ca_file: Path | None = Field(None, description="Certificate authority of a tls:// server.")
    server_name: str = Field("", description="Name in the server's certificate, if not the host in `url`.")
    alarm_bytes: int = Field(256 << 20, gt=0, description="Bytes that each alarm stream may take on disk.")
    telemetry_bytes: int = Field(
        2 << 30, gt=0, description="Bytes that each telemetry stream may take on disk."
    )

    @property
    def authenticated(self) -> bool:
        """Whether there is anything to log in with."""
        return bool(self.user and (self.password_file or os.environ.get(BUS_PASSWORD)))

    @model_validator(mode="after")
    def _nothing_in_clear_text(self) -> Self:
        if objection := objection_to(self.url, authenticated=self.authenticated):
            raise Invalid(objection.template, **objection.values)
        return self


class InfluxConfig(Model):
    """Where readings go besides the embedded store."""

    url: str = Field(description="http://host:8086", pattern=r"^https?://")
    database: str = Field("gridwarden", min_length=1, description="Database (1.x, 3) or mapped bucket (2.x).")
    user: str = Field("", description="User with write rights; empty: no authentication.")
    password_file: Path | None = Field(None, description="File (mode 600) that holds the password or token.")
    wait_days: float = Field(
        7, gt=0, description="Days that readings wait on the bus for an InfluxDB that is away."
    )


class KeepConfig(Model):
    """How long things are kept, and how much of them; what is too old or too much goes, the oldest first."""

    readings_days: float = Field(30, gt=0, description="Days that the embedded store keeps readings.")
    readings_bytes: int = Field(
        20 << 30, ge=1 << 20, description="Bytes that the embedded store's file may take with its journal."
    )
    quarantine_days: float = Field(90, gt=0, description="Days that entries stay in quarantine.")
    quarantine_bytes: int = Field(
        256 << 20, ge=1 << 16, description="Raw bytes that the normaliser's quarantine may hold."
    )
    cases_days: float = Field(1826, gt=0, description="Days after its end that a case is kept.")
    alarms_days: float = Field(366, gt=0, description="The same of an alarm that belongs to no case.")
    deliveries_days: float = Field(30, gt=0, description="The same of a message to another system.")
    operations_bytes: int = Field(
        4 << 30, ge=1 << 20, description="Bytes that the operations database (SQLite) may use."
    )


class DiskConfig(Model):
    """Room that is kept free for alarms (docs/decisions/0011)."""

    floor_bytes: int = Field(
        1 << 30,
        ge=0,
        description="Telemetry waits while less than this is free (at most a tenth of the disk).",
    )
    reserve_bytes: int = Field(
        64 << 20,
        ge=0,
        description="Size of the file that is given up when the disk is full (at most a fiftieth of it).",
    )
    others: list[Path] = Field(
        [], description="Folders whose disks count too: above all the store of a NATS server on this machine."
    )


class CoreConfig(Model):
    """What every process of the core needs to know: the site, its data, the bus, the stores."""

    site: Path = Field(description="The site folder.")
    data: Path = Field(description="The core's own directory: stores, ledger, operations database.")
    bus: BusConfig = BusConfig()
    influx: InfluxConfig | None = None
    embedded: bool = Field(True, description="Keep readings in the embedded store.")
    keep: KeepConfig = KeepConfig()
    disk: DiskConfig = DiskConfig()
    partition: Literal[0] = Field(0, description="The partition this worker serves.")

    @property
    def stores(self) -> list[str]:
        """The names of the stores in use."""
        return ["embedded"] * self.embedded + ["influx"] * (self.influx is not None)

    @model_validator(mode="after")
    def _some_store(self) -> Self:
        if not self.embedded and self.influx is None:
            raise Invalid(N_("readings would be stored nowhere: set `influx`, or `embedded: true`"))
        return self

    @field_validator("influx")
    @classmethod
    def _credentials_need_tls(cls, influx: InfluxConfig | None) -> InfluxConfig | None:
        if influx is not None and influx.user:
            parts = urlsplit(influx.url)
            if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
                raise Invalid(
                    N_("{url} would carry the password in clear text: use https://"), url=influx.url
                )
        return influx
