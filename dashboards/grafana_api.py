"""Grafana's HTTP API, as far as dashboards need it.

https://grafana.com/docs/grafana/latest/developers/http_api/. Why not ``grafana-client``: docs/decisions/0015.
"""

from types import TracebackType
from typing import Any, Final, Self

import httpx

from language import N_, Message

_TIMEOUT: Final = 30.0
_SHOWN: Final = 300
_EDITABLE: Final = {"X-Disable-Provenance": "true"}
"""People may change in Grafana what came through its API, as they may change dashboards."""


class GrafanaUnavailable(Exception):
    """Grafana does not do it; `message` says why."""

    def __init__(self, message: Message) -> None:
        self.message = message
        super().__init__(str(message))


class GrafanaApi:
    """One Grafana. Every method raises `GrafanaUnavailable`; what is looked for and not there is None."""

    def __init__(self, url: str, secret: str, user: str = "") -> None:
        """`secret` is a service account's token, or with `user` its password."""
        self._url = url.rstrip("/")
        self._http = httpx.Client(
            base_url=f"{self._url}/api",
            auth=(user, secret) if user else None,
            headers={} if user else {"Authorization": f"Bearer {secret}"},
            timeout=_TIMEOUT,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def data_source(self, uid: str) -> dict[str, Any] | None:
        """A data source by its uid."""
        return self._find(f"/datasources/uid/{uid}")

    def make_data_source(self, source: dict[str, Any]) -> None:
        """Add a data source."""
        self._ask("POST", "/datasources", source)

    def change_data_source(self, source: dict[str, Any]) -> None:
        """Replace the data source with the same uid."""
        self._ask("PUT", f"/datasources/uid/{source['uid']}", source)

    def folder(self, uid: str) -> dict[str, Any] | None:
        """A folder by its uid."""
        return self._find(f"/folders/{uid}")

    def make_folder(self, uid: str, title: str) -> None:
        """Add a folder."""
        self._ask("POST", "/folders", {"uid": uid, "title": title})

    def rename_folder(self, uid: str, title: str) -> None:
        """Give a folder another title."""
        self._ask("PUT", f"/folders/{uid}", {"title": title, "overwrite": True})

    def folder_rights(self, uid: str) -> list[dict[str, Any]]:
        """Who may do what in a folder; empty while there is no such folder."""
        found: list[dict[str, Any]] | None = self._ask("GET", f"/folders/{uid}/permissions", missing=True)
        return found or []

    def set_folder_rights(self, uid: str, items: list[dict[str, Any]]) -> None:
        """Replace a folder's rights."""
        self._ask("POST", f"/folders/{uid}/permissions", {"items": items})

    def dashboard(self, uid: str) -> dict[str, Any] | None:
        """A dashboard with its ``meta`` by its uid."""
        return self._find(f"/dashboards/uid/{uid}")

    def put_dashboard(self, document: dict[str, Any], folder: str) -> None:
        """Add a dashboard to a folder, or replace the one with its uid."""
        body = {
            "dashboard": document | {"id": None},
            "folderUid": folder,
            "overwrite": True,
            "message": "gridwarden grafana push",
        }
        self._ask("POST", "/dashboards/db", body)

    def contact_point(self, name: str, uid: str) -> dict[str, Any] | None:
        """A contact point by its name and uid; what is secret in it is not told."""
        points = self._ask("GET", "/v1/provisioning/contact-points", params={"name": name})
        return next((point for point in points if point["uid"] == uid), None)

    def make_contact_point(self, point: dict[str, Any]) -> None:
        """Add a contact point."""
        self._ask("POST", "/v1/provisioning/contact-points", point, headers=_EDITABLE)

    def change_contact_point(self, point: dict[str, Any]) -> None:
        """Replace the contact point with the same uid."""
        self._ask("PUT", f"/v1/provisioning/contact-points/{point['uid']}", point, headers=_EDITABLE)

    def rule_group(self, folder: str, name: str) -> dict[str, Any] | None:
        """The alert rules of one group of a folder."""
        return self._find(f"/v1/provisioning/folder/{folder}/rule-groups/{name}")

    def put_rule_group(self, group: dict[str, Any]) -> None:
        """Add a group of alert rules, or replace the one of that name."""
        path = f"/v1/provisioning/folder/{group['folderUid']}/rule-groups/{group['title']}"
        self._ask("PUT", path, group, headers=_EDITABLE)

    def team(self, name: str) -> int | None:
        """A team's number by its name."""
        found = self._ask("GET", "/teams/search", params={"name": name})
        return next((int(team["id"]) for team in found["teams"] if team["name"] == name), None)

    def make_team(self, name: str) -> int:
        """Add a team; its number."""
        return int(self._ask("POST", "/teams", {"name": name})["teamId"])

    def _find(self, path: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self._ask("GET", path, missing=True)
        return found

    def _ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        params: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        missing: bool = False,
    ) -> Any:
        try:
            answer = self._http.request(method, path, json=body, params=params, headers=headers)
        except httpx.HTTPError as error:
            text = N_("Grafana at {url} cannot be reached: {why}")
            why = str(error) or type(error).__name__
            raise GrafanaUnavailable(Message(text, {"url": self._url, "why": why})) from error
        if answer.status_code == httpx.codes.NOT_FOUND and missing:
            return None
        try:
            told = answer.json()
        except ValueError:
            told = None
        if answer.is_success and told is not None:
            return told
        why = told.get("message", "") if isinstance(told, dict) else answer.text.strip()[:_SHOWN]
        if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            text = N_("Grafana at {url} does not let this user or token do it: {status} {why}")
        else:
            text = N_("Grafana at {url} answers {status}: {why}")
        values = {"url": self._url, "status": answer.status_code, "why": why}
        raise GrafanaUnavailable(Message(text, values))
