"""The edges that run on the core's own machine: enrolled without anybody having to do anything."""

import time
from collections.abc import Collection
from pathlib import Path
from typing import Final

from ingest.enrolment import RegisterUnusable
from ingest.nats_files import ServerError, ServerFiles
from ingest.nats_server import NatsServer
from links.folder import own_key, write_link
from links.keys import InvalidKey

LINKS: Final = "edges"
"""Folder inside the server's secrets: a link for each local edge."""


def enrol_local(files: ServerFiles, edges: Collection[str]) -> list[str]:
    """Enrol those of `edges` that run here, before the server starts; returns them in the given order.

    Not those that run on a box of their own, nor those that were revoked. Local ones that are no longer
    among `edges` are shut out. Raises `ServerError`.
    """
    try:
        with files.register.change() as enrolments:
            elsewhere = {edge for edge, enrolled in enrolments.edges.items() if not enrolled.local}
            here = [edge for edge in edges if edge not in elsewhere and edge not in enrolments.revoked]
            for edge in enrolments.edges.keys() - elsewhere - set(here):
                del enrolments.edges[edge]
            for edge in here:
                key = own_key(_folder(files, edge)).public
                enrolled = enrolments.edges.get(edge)
                if enrolled is None or enrolled.key != key:
                    enrolments.admit(edge, key, time.time_ns(), local=True)
    except (RegisterUnusable, InvalidKey, OSError) as error:
        raise ServerError(f"the local edges cannot be enrolled: {error}") from error
    return here


def local_link(server: NatsServer, edge: str) -> Path:
    """The folder of a local edge's link to `server`, written as things are now. Raises `ServerError`."""
    folder = _folder(server.files, edge)
    try:
        authority = server.files.authority_file.read_text(encoding="utf-8") if server.uses_tls else ""
        write_link(folder, edge, server.url, authority_pem=authority, server_name=server.server_name)
    except OSError as error:
        raise ServerError(f"{folder} cannot be written: {error}") from error
    return folder


def _folder(files: ServerFiles, edge: str) -> Path:
    return files.folder / LINKS / edge
