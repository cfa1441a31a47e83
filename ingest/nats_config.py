"""The configuration of our NATS server: where it listens, with what protection, and what each user may do.

Rules that are enforced here and nowhere else:

- beyond the loopback interface only the clients' port listens, and only with TLS 1.3 from the first byte (an
  answer in clear text before it could be forged, and the clients' library would then send in clear text);
- everybody is a user. ``core`` (password) may do everything; an edge (NKey) may publish its own samples, ask
  the server about itself, and listen to its own inbox; a box that is invited (one-time NKey) may ask to be
  let in; ``mqtt`` (password, loopback) sees nothing of the bus.

Users stand in a file of their own, which the server reads again on SIGHUP: who is no longer in it is cut off.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from links.addresses import is_loopback
from readings.lanes import Lane
from readings.subjects import (
    ABOUT_ME,
    CORE_SUBJECTS,
    edge_inbox,
    enrolment_inbox,
    enrolment_subject,
    samples_subject,
)

LOOPBACK: Final = "127.0.0.1"
MAX_PAYLOAD: Final = 8 * 1024 * 1024
LOGIN_SECONDS: Final = 5
USERS_FILE: Final = "nats-users.conf"

_OF_THE_BUS: Final = (
    "samples.>",
    "readings.>",
    CORE_SUBJECTS,
    "$JS.>",
    "$SYS.>",
    "_CORE.>",
    "_INBOX.>",
    "_ENROL.>",
)
"""What an MQTT device may not touch. Denials, because its topics may be anything else."""


_BUS_ONLY: Final = 'allowed_connection_types: ["STANDARD"]'
_MQTT_ONLY: Final = 'allowed_connection_types: ["MQTT"]'
"""Devices' password opens the MQTT port, which is loopback, and not the one where edges come in."""


class OpenListener(Exception):
    """The server would listen beyond this machine without protection. Stop."""


@dataclass(frozen=True)
class ServerPorts:
    """Ports of the server; `mqtt` 0 leaves the MQTT listener out. It and `monitor` are always loopback."""

    client: int = 4222
    mqtt: int = 1883
    monitor: int = 8222


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The server's certificate (with its chain, PEM) and its key."""

    certificate: Path
    key: Path


def server_config(
    store: Path, ports: ServerPorts, max_store: int, *, host: str = LOOPBACK, tls: TlsFiles | None = None
) -> str:
    """The main file, which includes `USERS_FILE`; raises `OpenListener`.

    ``sync_interval: always``: what a stream has acknowledged is on disk.
    """
    if tls is None and not is_loopback(host):
        raise OpenListener(f"the message bus must not listen on {host} without TLS")
    mqtt = f"mqtt {{ host: {_quoted(LOOPBACK)}, port: {ports.mqtt} }}\n" if ports.mqtt else ""
    protection = (
        ""
        if tls is None
        else f"tls {{\n  cert_file: {_quoted(tls.certificate)}\n  key_file: {_quoted(tls.key)}\n"
        f'  min_version: "1.3"\n  handshake_first: true\n  timeout: {LOGIN_SECONDS}\n}}\n'
    )
    return (
        f'server_name: "gridwarden"\nhost: {_quoted(host)}\nport: {ports.client}\n'
        f'http: "{LOOPBACK}:{ports.monitor}"\nmax_payload: {MAX_PAYLOAD}\n'
        f"jetstream {{ store_dir: {_quoted(store)}, max_file_store: {max_store}, sync_interval: always }}\n"
        f"{protection}{mqtt}"
        f"authorization {{\n  timeout: {LOGIN_SECONDS}\n  include {_quoted(USERS_FILE)}\n}}\n"
    )


def users_config(passwords: Mapping[str, str], edges: Mapping[str, str], invited: Mapping[str, str]) -> str:
    """The file of users: `passwords` of ``core`` and ``mqtt``, public keys of `edges` and `invited`."""
    deny = _subjects(_OF_THE_BUS)
    one_time = "\n".join(
        _key_user(key, [enrolment_subject(edge)], f"{enrolment_inbox(edge)}.>")
        for edge, key in sorted(invited.items())
    )
    return (
        "users = [\n"
        f'    {{ user: "core", password: {_quoted(passwords["core"])}, {_BUS_ONLY} }}\n'
        f'    {{ user: "mqtt", password: {_quoted(passwords["mqtt"])}, {_MQTT_ONLY}, permissions: {{\n'
        f"        publish: {{ deny: {deny} }}\n        subscribe: {{ deny: {deny} }} }} }}\n"
        f"{_edge_users(edges)}\n{one_time}\n]\n"
    )


def users_elsewhere(edges: Mapping[str, str]) -> str:
    """The users for the configuration of a server that is not ours: ``core`` and `edges` (public key by id).

    The password of ``core`` stays in that server's environment, as ``GRIDWARDEN_CORE_PASSWORD``.
    """
    core = '    { user: "core", password: $GRIDWARDEN_CORE_PASSWORD }'
    return f"users = [\n{core}\n{_edge_users(edges)}\n]"


def _edge_users(edges: Mapping[str, str]) -> str:
    return "\n".join(
        _key_user(
            key, [*(samples_subject(edge, lane) for lane in Lane), ABOUT_ME], f"{edge_inbox(edge)}.>", edge
        )
        for edge, key in sorted(edges.items())
    )


def _key_user(key: str, publish: Iterable[str], inbox: str, name: str = "") -> str:
    comment = f"    # {name}\n" if name else ""
    return (
        f"{comment}    {{ nkey: {_quoted(key)}, {_BUS_ONLY}, permissions: {{\n"
        f"        publish: {{ allow: {_subjects(publish)} }}\n"
        f"        subscribe: {{ allow: {_subjects([inbox])} }} }} }}"
    )


def _subjects(subjects: Iterable[str]) -> str:
    return "[" + ", ".join(map(_quoted, subjects)) + "]"


def _quoted(text: object) -> str:
    return json.dumps(str(text))
