"""The message bus as an edge sees it: where it is, and how to log in."""

import ssl
from dataclasses import dataclass, field
from typing import Any

from links.folder import Link
from links.trust import tls_options
from readings.subjects import edge_inbox


@dataclass(frozen=True)
class Bus:
    """Where the NATS server is and how to log in: as an enrolled box, or as somebody else's server wants."""

    url: str
    """One URL, or several separated by commas."""
    username: str = ""
    password: str = field(default="", repr=False)
    credentials_file: str = ""
    seed: str = field(default="", repr=False)
    """Of the NKey that this box is enrolled by."""
    tls: ssl.SSLContext | None = None
    server_name: str = ""
    """What the server's certificate must say instead of the host in `url`."""

    @classmethod
    def of(cls, link: Link) -> "Bus":
        """The bus that an enrolled box was let into."""
        return cls(link.url, seed=link.key.seed, tls=link.tls, server_name=link.server_name)

    @property
    def authenticated(self) -> bool:
        """Whether there is anything to log in with."""
        return bool(self.username or self.credentials_file or self.seed)

    def options(self, edge: str) -> dict[str, Any]:
        """How `edge` connects, for ``nats.aio.client.Client.connect``."""
        options: dict[str, Any] = {"servers": self.url.split(","), "inbox_prefix": edge_inbox(edge)}
        if self.seed:
            options["nkeys_seed_str"] = self.seed
        elif self.credentials_file:
            options["user_credentials"] = self.credentials_file
        elif self.username:
            options |= {"user": self.username, "password": self.password}
        return options | tls_options(self.url, self.tls, self.server_name)
