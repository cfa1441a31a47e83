"""What those send who watch the platform from outside.

https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/
"""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Lenient(BaseModel):
    """Base of bodies whose shape others decide: what we do not use may be there."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class GrafanaAlert(_Lenient):
    """One alert of a webhook's body."""

    status: Literal["firing", "resolved"]
    labels: dict[str, str] = Field(description="`severity` may be critical, high, medium (default) or low.")
    annotations: dict[str, str] = Field(
        {},
        description="`name_zh` and `name_en`: what the alarm is called; without: `alertname` of the labels.",
    )
    started: datetime = Field(alias="startsAt")
    ended: datetime | None = Field(None, alias="endsAt", description="Before 1970 while it fires.")
    fingerprint: str = Field(
        min_length=1, max_length=100, pattern=r"^[0-9A-Za-z_-]+$", description="The same while labels are."
    )
    url: str = Field("", alias="generatorURL", description="Where Grafana shows the rule.")


class GrafanaNotice(_Lenient):
    """The body of Grafana's webhook."""

    alerts: list[GrafanaAlert] = Field(max_length=1000)


class Heard(BaseModel):
    """Answer to a notice."""

    alerts: int = Field(description="Alerts in the notice; each is in the alarm list now.")
