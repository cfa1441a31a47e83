"""What the live feed's events carry."""

from pydantic import Field

from gateway.api.schemas.alarms import AlarmOut
from gateway.api.schemas.base import Schema
from gateway.api.schemas.cases import CaseOut
from readings.sample import Scalar


class LiveAlarm(Schema):
    """SSE event ``alarm``: an alarm changed."""

    alarm: AlarmOut


class LiveCase(Schema):
    """SSE event ``case``: a case changed."""

    case: CaseOut


class LiveSite(Schema):
    """SSE event ``site``: an edited site folder was taken on; fetch the site anew."""

    revision: str = Field(description="`revision` of the site that is in force now.")


class LiveReading(Schema):
    """One value in the SSE event ``readings`` (only for devices asked for with ``?device=``)."""

    device: str
    point: str
    value: Scalar | None
    time: int = Field(description="Epoch milliseconds.")
