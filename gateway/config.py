"""The gateway's configuration: one YAML file that all processes of the core read, validated as a whole."""

from pathlib import Path
from typing import Self

from pydantic import ConfigDict, Field, model_validator

from ingest.config import CoreConfig
from language import N_
from links.addresses import is_loopback
from links.database_address import BadAddress, Login, ServerAddress
from registry.model import Invalid, Model


class WebConfig(Model):
    """Where the API and the console are served."""

    host: str = Field(
        "127.0.0.1", description="Loopback address to listen on; a proxy with TLS and login goes in front."
    )
    port: int = Field(8420, ge=0, le=65535, description="0: any free port.")

    grafana: str = Field(
        "",
        pattern=r"^(https?://\S+)?$",
        description="Address of Grafana as people reach it; empty: the console shows no links to it.",
    )

    grafana_secret_file: Path | None = Field(
        None,
        description="File (mode 600) with the secret of Grafana's webhook; none: no alerts of it are taken.",
    )

    @model_validator(mode="after")
    def _no_open_door(self) -> "WebConfig":
        if not is_loopback(self.host):
            raise Invalid(
                N_(
                    "{host} is not loopback, and this version has no login yet: listen on 127.0.0.1 and put "
                    "a proxy with TLS and authentication in front"
                ),
                host=repr(self.host),
            )
        return self


class OperationsConfig(Model):
    """A PostgreSQL database for alarms, cases and the rules' state."""

    url: str = Field(
        description="postgresql://USER@HOST:PORT/DATABASE, or postgresql://USER@/DATABASE?host=/run/postgresql."
    )
    password_file: Path | None = Field(None, description="File (mode 600) that holds the password.")
    ca_file: Path | None = Field(
        None, description="Certificate authority of the server; needed for one on another machine."
    )

    @property
    def login(self) -> Login:
        """What a connection shows and trusts."""
        return Login(self.password_file, self.ca_file)

    @model_validator(mode="after")
    def _safe_address(self) -> Self:
        # of the whole section, not of `url` alone: a problem shows the value that it is about
        try:
            objection = ServerAddress.parse(self.url).objection(self.password_file, self.ca_file)
        except BadAddress as error:
            objection = error.message
        if objection is not None:
            raise Invalid(objection.template, **objection.values)
        return self


class GatewayConfig(CoreConfig):
    """Everything the processes of the core need to know."""

    model_config = ConfigDict(hide_input_in_errors=True)  # somebody may have written a password into it

    edges: Path | None = Field(
        None, description="Folder of local edges' data, for the books; none: edges elsewhere."
    )
    web: WebConfig = WebConfig()
    operations: OperationsConfig | None = Field(
        None, description="Where alarms and cases are kept; none: operations.db (SQLite) in `data`."
    )
