"""Grafana's HTTP API as far as pushing dashboards uses it, by its documentation; it keeps what it is given.

https://grafana.com/docs/grafana/latest/developers/http_api/: data_source, folder, folder_permissions,
dashboard, team, alerting_provisioning.
"""

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.stand_in import StandIn

Reply = tuple[int, Any]
TOKEN = "glsa_secret"
_HIDDEN = "authorization_credentials"
_REDACTED = "[REDACTED]"


class GrafanaServer(StandIn):
    """On a free port of this machine. `changes` are the requests that changed something."""

    def __init__(self) -> None:
        self.sources: dict[str, dict[str, Any]] = {}
        self.folders: dict[str, dict[str, Any]] = {}
        self.boards: dict[str, dict[str, Any]] = {}
        self.rights: dict[str, list[dict[str, Any]]] = {}
        self.points: list[dict[str, Any]] = []
        self.groups: dict[str, dict[str, Any]] = {}
        self.teams: list[dict[str, Any]] = []
        self.changes: list[str] = []
        super().__init__()

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        length = int(handler.headers.get("Content-Length") or 0)
        body = json.loads(handler.rfile.read(length)) if length else None
        if handler.headers.get("Authorization") != f"Bearer {TOKEN}":
            status, answer = 401, {"message": "Invalid API key"}
        else:
            status, answer = self._answer(handler.command, parts.path, parse_qs(parts.query), body)
        text = json.dumps(answer).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)

    def _answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> Reply:
        words = path.removeprefix("/api/").split("/")
        if method != "GET":
            self.changes.append(f"{method} {path}")
        match method, words:
            case "GET", ["health"]:
                return 200, {"database": "ok", "version": "11.6.0"}
            case "GET", ["datasources", "uid", uid]:
                return _found(self.sources.get(uid), lambda one: _without_secret(one))
            case "POST", ["datasources"]:
                self.sources[body["uid"]] = {**body, "id": 1, "version": 1}
                return 200, {"datasource": body, "message": "Datasource added"}
            case "PUT", ["datasources", "uid", uid]:
                self.sources[uid] = {**self.sources[uid], **body}
                return 200, {"datasource": body}
            case "GET", ["folders", uid]:
                return _found(self.folders.get(uid))
            case "POST", ["folders"]:
                self.folders[body["uid"]] = {**body, "id": len(self.folders) + 1, "version": 1}
                return 200, self.folders[body["uid"]]
            case "PUT", ["folders", uid]:
                self.folders[uid] |= {"title": body["title"]}
                return 200, self.folders[uid]
            case "GET", ["folders", uid, "permissions"]:
                return 200, self.rights.get(uid, [{"role": "Editor", "permission": 2}])
            case "POST", ["folders", uid, "permissions"]:
                self.rights[uid] = body["items"]
                return 200, {"message": "Folder permissions updated"}
            case "GET", ["dashboards", "uid", uid]:
                return _found(self.boards.get(uid))
            case "POST", ["dashboards", "db"]:
                return self._keep(body)
            case "GET", ["v1", "provisioning", "contact-points"]:
                return 200, [_redacted(point) for point in self.points if [point["name"]] == query["name"]]
            case "POST", ["v1", "provisioning", "contact-points"]:
                self.points.append({"disableResolveMessage": False, **body, "provenance": ""})
                return 202, body
            case "PUT", ["v1", "provisioning", "contact-points", uid]:
                (before,) = (point for point in self.points if point["uid"] == uid)
                if body["settings"][_HIDDEN] == _REDACTED:
                    body["settings"][_HIDDEN] = before["settings"][_HIDDEN]
                before.update(body)
                return 202, {"message": "contactpoint updated"}
            case "GET", ["v1", "provisioning", "folder", folder, "rule-groups", group]:
                return _found(self.groups.get(f"{folder}/{group}"))
            case "PUT", ["v1", "provisioning", "folder", folder, "rule-groups", group]:
                self.groups[f"{folder}/{group}"] = {**body, "rules": [_ruled(one) for one in body["rules"]]}
                return 200, body
            case "GET", ["teams", "search"]:
                found = [one for one in self.teams if one["name"] == query.get("name", [one["name"]])[0]]
                return 200, {"teams": found, "totalCount": len(found), "page": 1, "perPage": 1000}
            case "POST", ["teams"]:
                self.teams.append({"id": len(self.teams) + 1, "name": body["name"]})
                return 200, {"teamId": len(self.teams), "message": "Team created"}
        return 404, {"message": f"{method} {path} not found"}

    def _keep(self, body: Any) -> Reply:
        uid = body["dashboard"]["uid"]
        before = self.boards.get(uid, {"dashboard": {"version": 0, "id": len(self.boards) + 1}})["dashboard"]
        kept = {**body["dashboard"], "id": before["id"], "version": before["version"] + 1}
        self.boards[uid] = {"dashboard": kept, "meta": {"folderUid": body["folderUid"]}}
        return 200, {"uid": uid, "status": "success", "version": kept["version"]}


def _found(one: Any, shown: Callable[[Any], Any] = lambda one: one) -> Reply:
    return (404, {"message": "not found"}) if one is None else (200, shown(one))


def _redacted(point: dict[str, Any]) -> dict[str, Any]:
    return {**point, "settings": {**point["settings"], _HIDDEN: _REDACTED}}


def _ruled(rule: dict[str, Any]) -> dict[str, Any]:
    """A rule as it is told again, with what Grafana adds."""
    data = [{"queryType": "", **query} for query in rule["data"]]
    return {**rule, "id": 1, "updated": "2026-11-30T12:00:00Z", "data": data, "keep_firing_for": "0s"}


def _without_secret(source: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in source.items() if key != "secureJsonData"}
