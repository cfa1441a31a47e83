"""Where everything is: ``/api/v1``. Routes translate HTTP to a question for the views, nothing more."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from cases.store import AlarmFilter, CaseFilter
from gateway.api import schemas
from gateway.api.problems import NotFound, responses
from gateway.api.views import DeviceFilter, Paging, Views
from gateway.live import event_stream
from ingest.quarantine import Selection
from language import preferred
from rules.findings import Severity

router = APIRouter(prefix="/api/v1", responses=responses(400, 404, 422, 503))


def views(request: Request) -> Views:
    """The views this application was built with."""
    found: Views = request.app.state.views
    return found


def language(
    accept_language: Annotated[
        str, Header(description="The language of sentences in the answer: zh-CN or en.", examples=["en"])
    ] = "",
) -> str:
    """The language of sentences in the answer: the first of ours that Accept-Language names."""
    return preferred(part.split(";")[0].strip() for part in accept_language.split(",") if part.strip())


Viewing = Annotated[Views, Depends(views)]
Language = Annotated[str, Depends(language)]
After = Annotated[
    str,
    Query(description="`next` of the page before; empty: the first page.", max_length=200, examples=[""]),
]
Limit = Annotated[int, Query(ge=1, le=500, description="Rows on a page.", examples=[100])]
GridId = Annotated[str, Query(description="Only in this grid, of any level.", examples=["R1-03-02"])]
PlaceId = Annotated[str, Query(description="Only at this place.", examples=["linbin-8-2-6-kitchen"])]


def chosen(
    stage: Annotated[
        str, Query(description="Only what this stage keeps.", max_length=100, examples=[""])
    ] = "",
    edge: Annotated[
        str, Query(description="Only of this edge.", max_length=200, examples=["binhu-east"])
    ] = "",
    source: Annotated[
        str, Query(description="Only of this source; * stands for any text.", max_length=500, examples=[""])
    ] = "",
    point: Annotated[str, Query(description="Only of this point.", max_length=500, examples=[""])] = "",
    reason: Annotated[str, Query(description="Only for this reason.", max_length=100, examples=[""])] = "",
) -> Selection:
    """Which entries of the quarantine are meant."""
    return Selection(stage, edge, source, point, reason)


Chosen = Annotated[Selection, Depends(chosen)]
DeviceId = Annotated[
    str, Path(description="Id of the device, as in the site folder.", examples=["linbin-8-2-6-kitchen-smoke"])
]
AlarmId = Annotated[
    str,
    Path(
        description="`id` of the alarm as in the list; in an address `#` is written `%23`.",
        examples=["smoke:linbin-8-2-6-kitchen-smoke#1"],
    ),
]
CaseNumber = Annotated[str, Path(description="Number of the case.", examples=["BH-20261125-0001"])]


@router.get("/site", summary="The community", tags=["site"])
async def site(view: Viewing, language: Language) -> schemas.SiteOut:
    """The community: grids, people, categories, rules."""
    return view.site.show(language)


@router.get("/overview", summary="The five-second answer", tags=["site"])
async def overview(view: Viewing) -> schemas.OverviewOut:
    """Is anything burning, who is on it, what is not being watched."""
    return await view.overview.show()


@router.get("/devices", summary="List devices", tags=["devices"])
async def devices(
    view: Viewing,
    grid: GridId = "",
    device_class: Annotated[str, Query(description="Only of this class.", examples=["smoke"])] = "",
    state: Annotated[
        schemas.DeviceState | None,
        Query(description="Only those heard, silent or never heard.", examples=["ok"]),
    ] = None,
    place: PlaceId = "",
    q: Annotated[
        str,
        Query(description="Part of id, name, address or place.", max_length=100, examples=["kitchen"]),
    ] = "",
    after: After = "",
    limit: Limit = 100,
) -> schemas.DevicePage:
    """Devices, those in trouble first."""
    chosen = DeviceFilter(grid=grid, device_class=device_class, state=state, place=place, text=q)
    return await view.devices.page(chosen, Paging(after, limit))


@router.get("/devices/{device}", summary="One device", tags=["devices"])
async def device(device: DeviceId, view: Viewing) -> schemas.DeviceDetail:
    """One device: what it is, what it says, how it is."""
    return await view.devices.one(device)


@router.get("/devices/{device}/samples", summary="What a device really sent", tags=["devices"])
async def samples(device: DeviceId, view: Viewing) -> list[schemas.SampleOut]:
    """The last sample of each point as its driver sent it; none before it speaks after a start of ingest."""
    return await view.devices.samples(device)


@router.get("/latest", summary="Latest values", tags=["devices"])
async def latest(
    view: Viewing,
    device: Annotated[
        list[str],
        Query(
            min_length=1,
            max_length=200,
            description="Ids of devices; may be repeated.",
            examples=[["linbin-8-2-6-kitchen-smoke"]],
        ),
    ],
) -> dict[str, list[schemas.Value]]:
    """The latest value of every point of the devices asked for."""
    return await view.devices.latest(device)


@router.get("/series", summary="A point's history", tags=["devices"])
async def series(
    view: Viewing,
    device: Annotated[str, Query(description="Id of the device.", examples=["linbin-8-2-6-kitchen-climate"])],
    point: Annotated[str, Query(description="One of its points.", examples=["temperature"])],
    start: Annotated[
        datetime | None,
        Query(description="Default: an hour before `end`.", examples=["2026-11-25T09:01:40Z"]),
    ] = None,
    end: Annotated[
        datetime | None, Query(description="Default: now.", examples=["2026-11-25T10:01:40Z"])
    ] = None,
    buckets: Annotated[
        int | None,
        Query(
            ge=1,
            le=4000,
            description="At most this many rows: min, max, mean and count each; without: raw values.",
            examples=[180],
        ),
    ] = None,
) -> schemas.SeriesOut:
    """A point's history, raw or in buckets that keep every spike."""
    return await view.devices.series(device, point, start, end, buckets)


@router.get("/alarms", summary="List alarms", tags=["alarms"])
async def alarms(
    view: Viewing,
    state: Annotated[
        Literal["open", "closed", "all"], Query(description="Open, closed, or both.", examples=["open"])
    ] = "open",
    severity: Annotated[
        list[Severity] | None,
        Query(description="Only of these severities; may be repeated.", examples=[["critical", "high"]]),
    ] = None,
    acknowledged: Annotated[
        bool | None, Query(description="Only those seen by somebody, or not.", examples=[False])
    ] = None,
    grid: GridId = "",
    device: Annotated[
        str, Query(description="Only of this device.", examples=["linbin-8-2-6-kitchen-smoke"])
    ] = "",
    place: PlaceId = "",
    rule: Annotated[str, Query(description="Only raised by this rule.", examples=["smoke"])] = "",
    after: After = "",
    limit: Limit = 100,
) -> schemas.AlarmPage:
    """Alarms, open ones by default: worst first, then newest."""
    chosen = AlarmFilter(
        state=state,
        acknowledged=acknowledged,
        severities=tuple(severity or ()),
        grid=grid,
        device=device,
        place=place,
        rule=rule,
    )
    return await view.alarms.page(chosen, Paging(after, limit))


@router.get("/alarms/{alarm:path}", summary="One alarm", tags=["alarms"])
async def alarm(alarm: AlarmId, view: Viewing) -> schemas.AlarmDetail:
    """One occurrence of an alarm with its timeline (`id` as in the list, ``#`` written ``%23``)."""
    return await view.alarms.one(alarm)


@router.post(
    "/alarms/{alarm:path}/acknowledge",
    summary="Acknowledge an alarm",
    tags=["alarms"],
    responses=responses(409, 413),
)
async def acknowledge(alarm: AlarmId, operation: schemas.Operation, view: Viewing) -> schemas.AlarmDetail:
    """Say that somebody has seen the alarm and takes it on."""
    return await view.alarms.acknowledge(alarm, operation)


@router.post(
    "/alarms/{alarm:path}/reset",
    summary="Reset a latched alarm",
    tags=["alarms"],
    responses=responses(409, 413),
)
async def reset(alarm: AlarmId, operation: schemas.Operation, view: Viewing) -> schemas.AlarmDetail:
    """Release a latched alarm after inspection; a note is required."""
    return await view.alarms.reset(alarm, operation)


@router.post(
    "/watchers/grafana",
    summary="Alerts of Grafana",
    tags=["alarms"],
    responses=responses(401, 409, 413),
)
async def grafana(
    notice: schemas.GrafanaNotice,
    view: Viewing,
    bearer: Annotated[
        HTTPAuthorizationCredentials | None,
        Depends(HTTPBearer(auto_error=False, description="The secret in `web.grafana_secret_file`.")),
    ],
) -> schemas.Heard:
    """Take what Grafana's webhook tells: its alerts stand in the alarm list until it says that they are over.

    What is told twice changes nothing.
    """
    return await view.watchers.grafana(notice, bearer.credentials if bearer is not None else "")


@router.get("/cases", summary="List cases", tags=["cases"])
async def cases(
    view: Viewing,
    state: Annotated[
        Literal["open", "overdue", "closed", "all"],
        Query(description="Open, open and past their limit, closed, or all.", examples=["open"]),
    ] = "open",
    category: Annotated[str, Query(description="Only of this category.", examples=["fire"])] = "",
    priority: Annotated[str, Query(description="Only of this priority.", examples=["P1"])] = "",
    grid: GridId = "",
    officer: Annotated[
        str, Query(description="Only those of this grid officer.", examples=["officer-r1-03-1"])
    ] = "",
    q: Annotated[
        str, Query(max_length=100, description="Part of number, title or place.", examples=["kitchen"])
    ] = "",
    after: After = "",
    limit: Limit = 100,
) -> schemas.CasePage:
    """Cases, open ones by default: most urgent first."""
    chosen = CaseFilter(state=state, category=category, priority=priority, grid=grid, officer=officer, text=q)
    return await view.cases.page(chosen, Paging(after, limit))


@router.get("/cases/{number}", summary="One case", tags=["cases"], responses=responses(409))
async def case(
    number: CaseNumber,
    view: Viewing,
    language: Language,
    actor: Annotated[
        str,
        Query(
            description="Whose actions: what this person may do.",
            max_length=100,
            examples=["officer-r1-03-1"],
        ),
    ] = "",
) -> schemas.CaseDetail:
    """One case: evidence, alarms, history, and what may be done next."""
    return await view.cases.one(number, language, actor)


@router.post(
    "/cases/{number}/actions",
    summary="Do something with a case",
    tags=["cases"],
    responses=responses(409, 413),
)
async def act(
    number: CaseNumber, action: schemas.CaseAction, view: Viewing, language: Language
) -> schemas.CaseDetail:
    """Do something with a case; refused with the reason when its life cycle does not allow it."""
    return await view.cases.act(number, action, language)


@router.get("/system", summary="How the platform is doing", tags=["system"])
async def system(view: Viewing, language: Language) -> schemas.SystemOut:
    """Queues, rates, edges and parts: how the platform itself is doing."""
    return await view.system.show(language)


@router.get("/clocks", summary="The clocks of devices", tags=["system"])
async def clocks(view: Viewing, limit: Limit = 50) -> schemas.ClocksOut:
    """How far each device's own clock is from its edge's; those that are off, the most wrong first."""
    return await view.system.clocks(limit)


@router.get("/books", summary="The books", tags=["system"])
async def books(view: Viewing, language: Language, limit: Limit = 50) -> schemas.BooksOut:
    """Taken = waiting + in stream + stored + quarantined + dropped + duplicates, by edge, lane and device."""
    return await view.system.books(limit, language)


@router.get("/quarantine", summary="What could not be used", tags=["quarantine"])
async def quarantine(
    view: Viewing, language: Language, chosen: Chosen, limit: Limit = 100
) -> list[schemas.QuarantineOut]:
    """What could not be used, by source, point and reason, latest first; with what to do about it."""
    return await view.quarantine.groups(chosen, limit, language)


@router.get("/quarantine/entries", summary="Look into the quarantine", tags=["quarantine"])
async def quarantine_entries(
    view: Viewing, language: Language, chosen: Chosen, after: After = "", limit: Limit = 50
) -> schemas.QuarantinePage:
    """Single entries with their bytes, oldest first."""
    return await view.quarantine.entries(chosen, Paging(after, limit), language)


@router.get("/quarantine/entries/{entry}", summary="One entry", tags=["quarantine"])
async def quarantine_entry(
    entry: Annotated[str, Path(description="Id of the entry.", max_length=100, examples=["normaliser-1"])],
    view: Viewing,
    language: Language,
) -> schemas.QuarantineEntry:
    """One entry with its bytes and what they hold."""
    return await view.quarantine.entry(entry, language)


@router.get("/quarantine/acts", summary="What was done with it", tags=["quarantine"])
async def quarantine_acts(
    view: Viewing, language: Language, limit: Limit = 50
) -> list[schemas.QuarantineAct]:
    """Retries, drops, and what went by age and size, newest first."""
    return await view.quarantine.acts(limit, language)


@router.get("/quarantine/acts/{act}", summary="How far an act is", tags=["quarantine"])
async def quarantine_act(
    act: Annotated[str, Path(description="Id of the act.", max_length=100, examples=["187b3c0e2f4a5b6c"])],
    view: Viewing,
    language: Language,
) -> schemas.QuarantineAct:
    """One act and what has come of it so far."""
    return await view.quarantine.act(act, language)


@router.post("/quarantine/acts", summary="Retry or drop", tags=["quarantine"], responses=responses(409, 413))
async def quarantine_order(
    order: schemas.QuarantineOrder, view: Viewing, language: Language
) -> schemas.QuarantineAct:
    """Have what is in quarantine now tried again, or dropped; it goes on by itself, follow it by its id."""
    return await view.quarantine.order(order, language)


@router.get(
    "/health",
    summary="Does the gateway do its work",
    tags=["system"],
    responses={503: {"model": schemas.HealthOut, "description": "The gateway does not do its work."}},
)
async def health(view: Viewing, language: Language, response: Response) -> schemas.HealthOut:
    """For a load balancer or a watchdog: 200 while the gateway does its work, else 503."""
    found = await view.system.health(language)
    if found.status == "down":
        response.status_code = 503
    return found


@router.get(
    "/live",
    summary="What changes, as it changes",
    tags=["live"],
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "Server-sent events."}},
)
async def live(
    request: Request,
    view: Viewing,
    device: Annotated[
        list[str] | None,
        Query(
            max_length=200,
            description="Readings of these devices too; may be repeated.",
            examples=[["linbin-8-2-6-kitchen-climate"]],
        ),
    ] = None,
    last_event_id: Annotated[
        str, Header(description="`id` of the last event that was seen, to go on from there.", examples=["41"])
    ] = "",
) -> StreamingResponse:
    """What changes, as it changes: server-sent events.

    Events: ``alarm`` (LiveAlarm), ``case`` (LiveCase), ``readings`` (a list of LiveReading, for the
    devices asked for), ``site`` (LiveSite), ``stale`` (too much was missed: fetch anew), ``beat`` after
    15 s without another. ``Last-Event-ID`` resumes within the last 1,000 events.
    """
    subscription = view.feed.subscribe(frozenset(device or ()), last_event_id)
    return StreamingResponse(
        event_stream(subscription, request.is_disconnected),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


@router.get("/{rest:path}", include_in_schema=False)
async def nothing(rest: str) -> None:
    """An unknown API path is a problem document, not the console's start page."""
    raise NotFound(f"/api/v1/{rest}")
