"""Dashboards and alert rules through Grafana's API: what is missing is made, what differs is replaced, the
rest is not touched.

Only what carries our uids is ours: dashboards that people made, also in our folders, stay as they are. A
dashboard of ours that somebody changed in Grafana is shown by `compare` and replaced by `push`.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import unified_diff
from enum import Enum, auto
from typing import Any, Final

from dashboards import watching
from dashboards.context import Context
from dashboards.documents import Folder, Influx, data_source, folders
from dashboards.grafana_api import GrafanaApi
from dashboards.watching import Hook
from language import N_, Message

_OWN: Final = ("id", "version", "iteration")
"""Keys of a dashboard that Grafana sets itself."""
_VIEW: Final = 1
"""Grafana's permission to look at a folder."""


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
    """Brings dashboards to one Grafana. Every method raises `dashboards.grafana_api.GrafanaUnavailable`."""

    def __init__(
        self,
        api: GrafanaApi,
        contexts: Sequence[Context],
        influx: Influx,
        password: str = "",
        team: str = "",
        hook: Hook | None = None,
    ) -> None:
        """`password` is the reading user's (empty: it is left as it is); `team` may look at the folders;
        `hook` is where alerts go (without a secret: the one there stays; None: as Grafana's policies say).
        """
        self._api = api
        self._contexts = contexts
        self._influx = influx
        self._password = password
        self._team = team
        self._hook = hook

    def compare(self) -> Iterator[Found]:
        """Everything of ours, in the order in which it has to be made."""
        yield self._data_source()
        for folder in folders(self._contexts):
            yield self._folder(folder)
            for document in folder.dashboards:
                yield self._dashboard(document, folder)
            if self._team:
                yield self._rights(folder)
        yield self._folder(Folder(watching.FOLDER, watching.title(self._contexts[0])))
        if self._hook is not None:
            yield self._contact_point(self._hook)
        yield self._rules()

    def do(self, found: Found) -> None:
        """Make it as it should be."""
        if found.state is not State.SAME:
            found.act()

    def _data_source(self) -> Found:
        wanted = data_source(self._contexts[0], self._influx)
        what = Message(N_("data source {name}"), {"name": wanted["name"]})
        secret = {"secureJsonData": {"password": self._password}} if self._password else {}
        whole = wanted | secret
        there = self._api.data_source(wanted["uid"])
        if there is None:
            return Found(what, State.MISSING, act=lambda: self._api.make_data_source(whole))
        lines = _differences({key: there.get(key) for key in wanted}, wanted)
        if lines:
            return Found(what, State.DIFFERENT, lines, lambda: self._api.change_data_source(whole))
        return Found(what, State.SAME)

    def _folder(self, folder: Folder) -> Found:
        what = Message(N_("folder {title}"), {"title": folder.title})
        uid, title = folder.uid, folder.title
        there = self._api.folder(uid)
        if there is None:
            return Found(what, State.MISSING, act=lambda: self._api.make_folder(uid, title))
        if there["title"] != title:
            lines = _differences({"title": there["title"]}, {"title": title})
            return Found(what, State.DIFFERENT, lines, lambda: self._api.rename_folder(uid, title))
        return Found(what, State.SAME)

    def _dashboard(self, document: dict[str, Any], folder: Folder) -> Found:
        what = Message(N_("dashboard {title} ({uid})"), {"title": document["title"], "uid": document["uid"]})

        def put() -> None:
            self._api.put_dashboard(document, folder.uid)

        there = self._api.dashboard(document["uid"])
        if there is None:
            return Found(what, State.MISSING, act=put)
        kept = {key: value for key, value in there["dashboard"].items() if key not in _OWN}
        lines = _differences(kept, {key: value for key, value in document.items() if key not in _OWN})
        if there.get("meta", {}).get("folderUid", folder.uid) != folder.uid:
            lines = (*lines, f"+ folder: {folder.uid}")
        if lines:
            return Found(what, State.DIFFERENT, lines, put)
        return Found(what, State.SAME)

    def _contact_point(self, hook: Hook) -> Found:
        what = Message(N_("contact point {name}"), {"name": watching.RECEIVER})
        there = self._api.contact_point(watching.RECEIVER, watching.HOOK)
        if there is None:
            made = watching.contact_point(hook)
            return Found(what, State.MISSING, act=lambda: self._api.make_contact_point(made))
        kept = watching.contact_point(replace(hook, secret=there["settings"].get(watching.CREDENTIALS, "")))
        wanted = watching.contact_point(hook) if hook.secret else kept
        lines = _differences(_part(there, kept), kept)
        if lines:
            return Found(what, State.DIFFERENT, lines, lambda: self._api.change_contact_point(wanted))
        return Found(what, State.SAME)

    def _rules(self) -> Found:
        what = Message(N_("alert rules {name}"), {"name": watching.GROUP})
        wanted = watching.rule_group(self._contexts[0], told=self._hook is not None)
        there = self._api.rule_group(watching.FOLDER, watching.GROUP)

        def put() -> None:
            self._api.put_rule_group(wanted)

        if there is None:
            return Found(what, State.MISSING, act=put)
        lines = _differences(_part(there, wanted), wanted)
        return Found(what, State.DIFFERENT, lines, put) if lines else Found(what, State.SAME)

    def _rights(self, folder: Folder) -> Found:
        what = Message(
            N_("team {team} and viewers may look at {folder}"), {"team": self._team, "folder": folder.title}
        )
        team = self._api.team(self._team)
        rights = self._api.folder_rights(folder.uid)
        if team is not None and any(one.get("teamId") == team for one in rights):
            return Found(what, State.SAME)

        def grant() -> None:
            number = self._api.team(self._team) or self._api.make_team(self._team)
            own = [one for one in rights if one.get("role") != "Viewer" and not one.get("inherited")]
            viewers = {"role": "Viewer", "permission": _VIEW}
            team = {"teamId": number, "permission": _VIEW}
            self._api.set_folder_rights(folder.uid, [*map(_item, own), viewers, team])

        return Found(what, State.MISSING, act=grant)


def _part(there: Any, wanted: Any) -> Any:
    """What is there of what is wanted: Grafana adds keys of its own."""
    if isinstance(there, dict) and isinstance(wanted, dict):
        return {key: _part(there[key], value) for key, value in wanted.items() if key in there}
    if isinstance(there, list) and isinstance(wanted, list) and len(there) == len(wanted):
        return [_part(one, other) for one, other in zip(there, wanted, strict=True)]
    return there


def _differences(there: object, wanted: object) -> tuple[str, ...]:
    def lines(content: object) -> list[str]:
        return json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True).splitlines()

    before, after = lines(there), lines(wanted)
    return tuple(unified_diff(before, after, "Grafana", "GridWarden", lineterm="", n=1))


def _item(right: dict[str, Any]) -> dict[str, Any]:
    """A right that is there, as it has to be sent again."""
    who = next(key for key in ("userId", "teamId", "role") if right.get(key))
    return {who: right[who], "permission": right["permission"]}
