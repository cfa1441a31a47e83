"""What the API answers: questions put to the stores, answers turned into schemas.

One class per subject; `Views` holds them for the routes. Databases are read in threads.
"""

import time
from collections.abc import Callable
from pathlib import Path

from cases.store import OperationsStore
from gateway.api.showing import Showing
from gateway.api.views.alarms import AlarmViews, Command
from gateway.api.views.cases import Act, CaseViews
from gateway.api.views.context import Context, Paging
from gateway.api.views.devices import Ask, DeviceFilter, DeviceViews
from gateway.api.views.overview import OverviewViews
from gateway.api.views.quarantine import QuarantineViews
from gateway.api.views.site import SiteViews
from gateway.api.views.system import SystemViews
from gateway.api.views.watchers import Hear, WatcherViews
from gateway.freshness import Freshness
from gateway.live import LiveFeed
from gateway.rule_runner import Changed
from gateway.status import Status
from ingest.stores import History

__all__ = ["DeviceFilter", "Paging", "Views"]


class Views:
    """Everything the routes may ask, by subject."""

    def __init__(
        self,
        showing: Showing,
        store: OperationsStore,
        readings: History,
        freshness: Freshness,
        feed: LiveFeed,
        status: Status,
        command: Command,
        act: Act,
        hear: Hear,
        ingest: Ask,
        data: Path,
        version: str,
        *,
        revision: str,
        grafana: str = "",
        grafana_secret: str = "",
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._context = context = Context(showing, store, readings, freshness, clock)
        self.feed = feed
        self.site = SiteViews(context, version, revision, grafana)
        self.overview = OverviewViews(context, status)
        self.devices = DeviceViews(context, ingest)
        self.alarms = AlarmViews(context, command)
        self.cases = CaseViews(context, act)
        self.system = SystemViews(context, status, ingest)
        self.watchers = WatcherViews(hear, grafana_secret)
        self.quarantine = QuarantineViews(context, data, ingest)

    @property
    def showing(self) -> Showing:
        """The site as it is shown now."""
        return self._context.showing

    def take_site(self, showing: Showing, revision: str) -> None:
        """Answer by another site from now on, and tell everybody who listens to ask anew."""
        self._context.showing = showing
        self.site.revision = revision
        self.overview.forget()
        self.feed.tell("site", {"revision": revision})

    def tell(self, changed: Changed) -> None:
        """Tell the live feed which alarms and cases changed."""
        self.overview.forget()
        now, showing = self._context.clock(), self._context.showing
        for alarm in changed.alarms:
            self.feed.tell("alarm", {"alarm": showing.alarm(alarm).model_dump(mode="json")})
        for case in changed.cases:
            self.feed.tell("case", {"case": showing.case(case, now).model_dump(mode="json")})
