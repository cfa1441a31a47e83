"""The gateway's configuration: one YAML file that all processes of the core read, validated as a whole."""

from pathlib import Path

from pydantic import Field, model_validator

from ingest.config import CoreConfig
from language import N_
from links.addresses import is_loopback
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


class GatewayConfig(CoreConfig):
    """Everything the processes of the core need to know."""

    edges: Path | None = Field(
        None, description="Folder of local edges' data, for the books; none: edges elsewhere."
    )
    web: WebConfig = WebConfig()
