"""Dashboards through Grafana's API: what is missing is made, what differs is replaced, the rest is not
touched.

Only what carries our uids is ours: dashboards that people made, also in our folders, stay as they are. A
dashboard of ours that somebody changed in Grafana is shown by `compare` and replaced by `push`.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from enum import Enum, auto
from typing import Any, Final, TypeVar

from grafana_client.api import GrafanaApi
from grafana_client.client import GrafanaClientError, GrafanaException, GrafanaUnauthorizedError
from niquests.exceptions import RequestException

from dashboards.context import Context
from dashboards.documents import Folder, Influx, data_source, folders
from language import N_, Message

_OWN: Final = ("id", "version", "iteration")
"""Keys of a dashboard that Grafana sets itself."""
_NOT_FOUND: Final = 404
_VIEW: Final = 1
"""Grafana's permission to look at a folder."""

_Answer = TypeVar("_Answer")


class GrafanaUnavailable(Exception):
    """Grafana does not do it; `message` says why."""

    def __init__(self, message: Message) -> None:
        self.message = message
        super().__init__(str(message))


class State(Enum):
    """How something of ours stands in Grafana."""

    SAME = auto()
    MISSING = auto()
    DIFFERENT = auto()


@dataclass(frozen=True)
class Found:
    """One thing of ours: what it is, how it stands, and the lines in which it differs."""

    what: Message
    state: State
    lines: tuple[str, ...] = ()
    act: Callable[[], object] = lambda: None


class Push:
    """Brings dashboards to one Grafana. Every method raises `GrafanaUnavailable`."""

    def __init__(
        self, api: GrafanaApi, contexts: Sequence[Context], influx: Influx, password: str = "", team: str = ""
    ) -> None:
        """`password` is the reading user's (empty: it is left as it is); `team` may look at the folders."""
        self._api = api
        self._contexts = contexts
        self._influx = influx
        self._password = password
        self._team = team

    def compare(self) -> Iterator[Found]:
        """Everything of ours, in the order in which it has to be made."""
        yield self._data_source()
        for folder in folders(self._contexts):
            yield self._folder(folder)
            for document in folder.dashboards:
                yield self._dashboard(document, folder)
            if self._team:
                yield self._rights(folder)

    def do(self, found: Found) -> None:
        """Make it as it should be."""
        if found.state is not State.SAME:
            self._ask(found.act)

    def _data_source(self) -> Found:
        wanted = data_source(self._contexts[0], self._influx)
        what = Message(N_("data source {name}"), {"name": wanted["name"]})
        secret = {"secureJsonData": {"password": self._password}} if self._password else {}
        api = self._api.datasource
        there = self._maybe(lambda: api.get_datasource_by_uid(wanted["uid"]))
        if there is None:
            return Found(what, State.MISSING, act=lambda: api.create_datasource(wanted | secret))
        lines = _differences({key: there.get(key) for key in wanted}, wanted)
        if lines or secret:  # whether a password is the right one, Grafana does not tell
            state = State.DIFFERENT if lines else State.SAME
            update = lambda: api.update_datasource_by_uid(wanted["uid"], wanted | secret)  # noqa: E731
            return Found(what, state, lines, update)
        return Found(what, State.SAME)

    def _folder(self, folder: Folder) -> Found:
        what = Message(N_("folder {title}"), {"title": folder.title})
        api = self._api.folder
        there = self._maybe(lambda: api.get_folder(folder.uid))
        if there is None:
            return Found(what, State.MISSING, act=lambda: api.create_folder(folder.title, folder.uid))
        if there["title"] != folder.title:
            lines = _differences({"title": there["title"]}, {"title": folder.title})
            rename = lambda: api.update_folder(folder.uid, folder.title, overwrite=True)  # noqa: E731
            return Found(what, State.DIFFERENT, lines, rename)
        return Found(what, State.SAME)

    def _dashboard(self, document: dict[str, Any], folder: Folder) -> Found:
        what = Message(N_("dashboard {title} ({uid})"), {"title": document["title"], "uid": document["uid"]})
        api = self._api.dashboard
        put = {
            "dashboard": document | {"id": None},
            "folderUid": folder.uid,
            "overwrite": True,
            "message": "gridwarden grafana push",
        }
        there = self._maybe(lambda: api.get_dashboard(document["uid"]))
        if there is None:
            return Found(what, State.MISSING, act=lambda: api.update_dashboard(put))
        kept = {key: value for key, value in there["dashboard"].items() if key not in _OWN}
        lines = _differences(kept, {key: value for key, value in document.items() if key not in _OWN})
        if there.get("meta", {}).get("folderUid", folder.uid) != folder.uid:
            lines = (*lines, f"+ folder: {folder.uid}")
        if lines:
            return Found(what, State.DIFFERENT, lines, lambda: api.update_dashboard(put))
        return Found(what, State.SAME)

    def _rights(self, folder: Folder) -> Found:
        what = Message(
            N_("team {team} and viewers may look at {folder}"), {"team": self._team, "folder": folder.title}
        )
        team = self._team_id()
        rights = self._maybe(lambda: self._api.folder.get_folder_permissions(folder.uid)) or []
        if team is not None and any(one.get("teamId") == team for one in rights):
            return Found(what, State.SAME)

        def grant() -> object:
            number = self._team_id()
            if number is None:
                number = self._api.teams.add_team({"name": self._team})["teamId"]
            items = [{"role": "Viewer", "permission": _VIEW}, {"teamId": number, "permission": _VIEW}]
            others = [
                _item(one) for one in rights if one.get("role") != "Viewer" and not one.get("inherited")
            ]
            return self._api.folder.update_folder_permissions(folder.uid, {"items": [*others, *items]})

        return Found(what, State.MISSING, act=grant)

    def _team_id(self) -> int | None:
        found = self._ask(lambda: self._api.teams.search_teams(query=self._team))
        return next((int(one["id"]) for one in found if one["name"] == self._team), None)

    def _maybe(self, question: Callable[[], _Answer]) -> _Answer | None:
        """The answer; None for what does not exist."""
        try:
            return self._ask(question)
        except GrafanaUnavailable as error:
            cause = error.__cause__
            if isinstance(cause, GrafanaException) and cause.status_code == _NOT_FOUND:
                return None
            raise

    def _ask(self, question: Callable[[], _Answer]) -> _Answer:
        try:
            return question()
        except GrafanaUnauthorizedError as error:
            text = N_("Grafana does not let this user or token in: {why}")
            raise GrafanaUnavailable(Message(text, {"why": error.message})) from error
        except (GrafanaException, GrafanaClientError) as error:
            text = N_("Grafana answers {status}: {why}")
            values = {"status": error.status_code, "why": error.message}
            raise GrafanaUnavailable(Message(text, values)) from error
        except (RequestException, OSError) as error:
            text = N_("Grafana cannot be reached: {why}")
            raise GrafanaUnavailable(Message(text, {"why": str(error)})) from error


def _differences(there: object, wanted: object) -> tuple[str, ...]:
    def lines(content: object) -> list[str]:
        return json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True).splitlines()

    before, after = lines(there), lines(wanted)
    return tuple(unified_diff(before, after, "Grafana", "GridWarden", lineterm="", n=1))


def _item(right: dict[str, Any]) -> dict[str, Any]:
    """A right that is there, as it has to be sent again."""
    who = next(key for key in ("userId", "teamId", "role") if right.get(key))
    return {who: right[who], "permission": right["permission"]}
