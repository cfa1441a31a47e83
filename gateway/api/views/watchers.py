"""Those who watch the platform from outside: their alerts in our alarm list."""

import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from cases.outside import Notice
from cases.store import StoreUnavailable
from gateway.api import schemas
from gateway.api.names import TAGS
from gateway.api.problems import Conflict, Unauthorized
from gateway.api.showing import nanoseconds
from gateway.api.views.context import unavailable
from language import N_, Message
from rules.findings import Severity

Hear = Callable[[Sequence[Notice]], Awaitable[None]]

GRAFANA: Final = "grafana"
_LONGEST: Final = 200


class WatcherViews:
    """Takes notices of who knows the secret."""

    def __init__(self, hear: Hear, grafana_secret: str) -> None:
        """An empty secret: nothing is taken from Grafana."""
        self._hear = hear
        self._grafana_secret = grafana_secret

    async def grafana(self, notice: schemas.GrafanaNotice, secret: str) -> schemas.Heard:
        """Take the alerts of one notice, all or (with `Unavailable`) none."""
        if not self._grafana_secret:
            raise Conflict(
                Message(N_("Alerts of Grafana are not taken here: set `web.grafana_secret_file`."))
            )
        if not hmac.compare_digest(secret.encode(), self._grafana_secret.encode()):
            raise Unauthorized(Message(N_("Wrong secret.")))
        try:
            await self._hear([_notice(alert) for alert in notice.alerts])
        except StoreUnavailable as error:
            raise unavailable(error) from error
        return schemas.Heard(alerts=len(notice.alerts))


def _notice(alert: schemas.GrafanaAlert) -> Notice:
    severity = alert.labels.get("severity", "")
    return Notice(
        watcher=GRAFANA,
        key=alert.fingerprint,
        names=_names(alert),
        severity=Severity(severity) if severity in list(Severity) else Severity.MEDIUM,
        firing=alert.status == "firing",
        began=nanoseconds(alert.started),
        ended=nanoseconds(alert.ended) if alert.ended is not None else 0,
        about=_plain(alert.annotations.get("summary", "")),
        url=alert.url if alert.url.startswith(("http://", "https://")) else "",
    )


def _names(alert: schemas.GrafanaAlert) -> Mapping[str, str]:
    plain = alert.labels.get("alertname", "") or GRAFANA
    return {language: _plain(alert.annotations.get(f"name_{language}", "") or plain) for language, _ in TAGS}


def _plain(text: str) -> str:
    return text[:_LONGEST].encode("utf-8", "replace").decode("utf-8")
