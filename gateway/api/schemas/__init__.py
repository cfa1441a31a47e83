"""What travels over the API. Times are RFC 3339 in UTC; series carry epoch milliseconds for charts."""

from gateway.api.schemas.alarms import AlarmDetail, AlarmOut, AlarmPage, EvidenceOut, FindingOut, Operation
from gateway.api.schemas.base import Problem, Schema, Text
from gateway.api.schemas.cases import ActionOut, CaseAction, CaseDetail, CaseOut, CasePage, EntryOut
from gateway.api.schemas.devices import (
    DeviceDetail,
    DeviceOut,
    DevicePage,
    DeviceState,
    PointOut,
    SeriesOut,
    Value,
)
from gateway.api.schemas.live import LiveAlarm, LiveCase, LiveReading
from gateway.api.schemas.overview import Change, OverviewOut, Tile, Totals
from gateway.api.schemas.site import CategoryOut, GridOut, PersonOut, RuleOut, SiteOut
from gateway.api.schemas.system import (
    BookRow,
    BooksOut,
    Component,
    EdgeOut,
    HealthOut,
    ProcessOut,
    QuarantineOut,
    Queue,
    Rate,
    SystemOut,
)

__all__ = [
    "ActionOut",
    "AlarmDetail",
    "AlarmOut",
    "AlarmPage",
    "BookRow",
    "BooksOut",
    "CaseAction",
    "CaseDetail",
    "CaseOut",
    "CasePage",
    "CategoryOut",
    "Change",
    "Component",
    "DeviceDetail",
    "DeviceOut",
    "DevicePage",
    "DeviceState",
    "EdgeOut",
    "EntryOut",
    "EvidenceOut",
    "FindingOut",
    "GridOut",
    "HealthOut",
    "LiveAlarm",
    "LiveCase",
    "LiveReading",
    "Operation",
    "OverviewOut",
    "PersonOut",
    "PointOut",
    "Problem",
    "ProcessOut",
    "QuarantineOut",
    "Queue",
    "Rate",
    "RuleOut",
    "Schema",
    "SeriesOut",
    "SiteOut",
    "SystemOut",
    "Text",
    "Tile",
    "Totals",
    "Value",
]
