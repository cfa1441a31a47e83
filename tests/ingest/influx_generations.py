"""InfluxDB 2.x and 3 Core as far as setting up asks them: documented requests and answers only.

Sources: https://docs.influxdata.com/influxdb/v2/api/ (organizations, buckets, dbrps, authorizations),
https://docs.influxdata.com/influxdb3/core/api/ (database, auth token, v1 compatibility).
"""

import json
from base64 import b64decode
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.stand_in import StandIn

Reply = tuple[int, Any]


class Generation(StandIn):
    """A server on a free port of this machine; `version` is what ``/ping`` tells."""

    version = ""

    def __init__(self) -> None:
        self.written: list[tuple[str, str, str]] = []
        """(database, policy, lines) of each write."""
        self.changes: list[str] = []
        """Every request that changed something, ``METHOD path``."""
        super().__init__()

    def routes(self) -> dict[tuple[str, str], Callable[[dict[str, str], Any], Reply]]:
        raise NotImplementedError

    def knows(self, token: str) -> bool:
        raise NotImplementedError

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        values = {name: texts[0] for name, texts in parse_qs(parts.query).items()}
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0)).decode()
        status, answer = self._answer(handler, parts.path, values, body)
        text = "" if answer is None else json.dumps(answer)
        handler.send_response(status)
        handler.send_header("X-Influxdb-Version", self.version)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text.encode())

    def _answer(self, handler: BaseHTTPRequestHandler, path: str, values: dict[str, str], body: str) -> Reply:
        if path == "/ping":
            return 204, None
        if not self.knows(_token(handler.headers.get("Authorization", ""))):
            return 401, {"code": "unauthorized", "message": "unauthorized access"}
        if path == "/query":
            return 200, {"results": [{"statement_id": 0}]}
        if path == "/write":
            self.written.append((values["db"], values.get("rp", ""), body))
            return 204, None
        route = self.routes().get((handler.command, path))
        if route is None:
            identity = path.rpartition("/")
            route = self.routes().get((handler.command, f"{identity[0]}/ID"))
            values["id"] = identity[2]
        if route is None:
            return 404, {"code": "not found", "message": f"{handler.command} {path}"}
        if handler.command != "GET":
            self.changes.append(f"{handler.command} {path}")
        return route(values, json.loads(body) if body else None)


def _token(header: str) -> str:
    kind, _, text = header.partition(" ")
    return b64decode(text).decode().partition(":")[2] if kind == "Basic" else text


class Two(Generation):
    version = "v2.7.11"

    def __init__(self) -> None:
        self.buckets: dict[str, dict[str, Any]] = {}
        self.mappings: list[dict[str, Any]] = []
        self.tokens: dict[str, list[dict[str, Any]]] = {"all-access": []}
        super().__init__()

    def knows(self, token: str) -> bool:
        return token in self.tokens

    def routes(self) -> dict[tuple[str, str], Callable[[dict[str, str], Any], Reply]]:
        return {
            ("GET", "/api/v2/orgs"): self._orgs,
            ("GET", "/api/v2/buckets"): self._find,
            ("POST", "/api/v2/buckets"): self._make,
            ("PATCH", "/api/v2/buckets/ID"): self._change,
            ("GET", "/api/v2/dbrps"): self._mapped,
            ("POST", "/api/v2/dbrps"): self._map,
            ("POST", "/api/v2/authorizations"): self._authorize,
        }

    def _orgs(self, values: dict[str, str], _: Any) -> Reply:
        return 200, {"orgs": [{"id": f"{15:016x}", "name": "binhu"}] if values["org"] == "binhu" else []}

    def _find(self, values: dict[str, str], _: Any) -> Reply:
        return 200, {"buckets": [one for one in self.buckets.values() if one["name"] == values["name"]]}

    def _make(self, _: dict[str, str], body: Any) -> Reply:
        made = {**body, "id": f"{len(self.buckets):016x}"}
        self.buckets[made["id"]] = made
        return 201, made

    def _change(self, values: dict[str, str], body: Any) -> Reply:
        self.buckets[values["id"]] |= body
        return 200, self.buckets[values["id"]]

    def _mapped(self, values: dict[str, str], _: Any) -> Reply:
        asked = (values["db"], values["rp"])
        found = [one for one in self.mappings if (one["database"], one["retention_policy"]) == asked]
        return 200, {"content": found}

    def _map(self, _: dict[str, str], body: Any) -> Reply:
        self.mappings.append({**body, "id": f"{len(self.mappings):016x}"})
        return 201, self.mappings[-1]

    def _authorize(self, _: dict[str, str], body: Any) -> Reply:
        token = f"token-{len(self.tokens)}"
        self.tokens[token] = body["permissions"]
        return 201, {**body, "id": "0a", "token": token}


class Three(Generation):
    version = "3.1.0"

    def __init__(self) -> None:
        self.databases: dict[str, dict[str, Any]] = {"_internal": {}}
        self.tokens = {"operator": "_admin"}
        super().__init__()

    def knows(self, token: str) -> bool:
        return token in self.tokens

    def routes(self) -> dict[tuple[str, str], Callable[[dict[str, str], Any], Reply]]:
        return {
            ("GET", "/api/v3/configure/database"): self._list,
            ("POST", "/api/v3/configure/database"): self._make,
            ("POST", "/api/v3/configure/token/named_admin"): self._authorize,
        }

    def _list(self, _: dict[str, str], __: Any) -> Reply:
        return 200, [{"iox::database": name} for name in self.databases]

    def _make(self, _: dict[str, str], body: Any) -> Reply:
        self.databases[body["db"]] = body
        return 200, None

    def _authorize(self, _: dict[str, str], body: Any) -> Reply:
        token = f"apiv3_{body['token_name']}"
        self.tokens[token] = body["token_name"]
        return 201, {"id": 1, "name": body["token_name"], "token": token, "expiry": None}
