"""The core's configuration, as far as ingest needs it: validated as a whole, secrets only by file name."""

import os
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from links.addresses import is_loopback, objection_to
from links.secret_files import BUS_PASSWORD
from registry.model import Model


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
            raise ValueError(str(objection))
        return self


class InfluxConfig(Model):
    """Where readings go besides the embedded store."""

    url: str = Field(description="http://host:8086", pattern=r"^https?://")
    database: str = Field("gridwarden", min_length=1, description="Database (1.x, 3) or mapped bucket (2.x).")
    user: str = Field("", description="User with write rights; empty: no authentication.")
    password_file: Path | None = Field(None, description="File (mode 600) that holds the password or token.")


class CoreConfig(Model):
    """What every process of the core needs to know: the site, its data, the bus, the stores."""

    site: Path = Field(description="The site folder.")
    data: Path = Field(description="The core's own directory: stores, ledger, operations database.")
    bus: BusConfig = BusConfig()
    influx: InfluxConfig | None = None
    embedded: bool = Field(True, description="Keep readings in the embedded store.")
    keep_days: float = Field(30, gt=0, description="Days that the embedded store keeps readings.")
    partition: Literal[0] = Field(0, description="The partition this worker serves.")

    @property
    def stores(self) -> list[str]:
        """The names of the stores in use."""
        return ["embedded"] * self.embedded + ["influx"] * (self.influx is not None)

    @model_validator(mode="after")
    def _some_store(self) -> Self:
        if not self.embedded and self.influx is None:
            raise ValueError("readings would be stored nowhere: set `influx`, or `embedded: true`")
        return self

    @field_validator("influx")
    @classmethod
    def _credentials_need_tls(cls, influx: InfluxConfig | None) -> InfluxConfig | None:
        if influx is not None and influx.user:
            parts = urlsplit(influx.url)
            if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
                raise ValueError(f"{influx.url} would carry the password in clear text: use https://")
        return influx
