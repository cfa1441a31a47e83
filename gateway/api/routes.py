"""Where everything is: ``/api/v1``. Routes translate HTTP to a question for the views, nothing more."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from cases.store import AlarmFilter, CaseFilter
from gateway.api import schemas
from gateway.api.problems import NotFound, responses
from gateway.api.views import DeviceFilter, Paging, Views
from gateway.live import event_stream
from language import preferred
from rules.findings import Severity

router = APIRouter(prefix="/api/v1", responses=responses(400, 404, 422, 503))


def views(request: Request) -> Views:
    """The views this application was built with."""
    found: Views = request.app.state.views
    return found


def language(accept_language: Annotated[str, Header()] = "") -> str:
    """The language of sentences in the answer: the first of ours that Accept-Language names."""
    return preferred(part.split(";")[0].strip() for part in accept_language.split(",") if part.strip())


Viewing = Annotated[Views, Depends(views)]
Language = Annotated[str, Depends(language)]
After = Annotated[str, Query(description="`next` of the page before.", max_length=200)]
Limit = Annotated[int, Query(ge=1, le=500, description="Rows on a page.")]


@router.get("/site", tags=["site"])
async def site(view: Viewing, language: Language) -> schemas.SiteOut:
    """The community: grids, people, categories, rules."""
    return view.site.show(language)


@router.get("/overview", tags=["site"])
async def overview(view: Viewing) -> schemas.OverviewOut:
    """Is anything burning, who is on it, what is not being watched."""
    return await view.overview.show()


@router.get("/devices", tags=["devices"])
async def devices(
    view: Viewing,
    grid: Annotated[str, Query(description="A grid of any level.")] = "",
    device_class: Annotated[str, Query()] = "",
    state: schemas.DeviceState | None = None,
    place: str = "",
    q: Annotated[str, Query(description="Part of id, name, address or place.", max_length=100)] = "",
    after: After = "",
    limit: Limit = 100,
) -> schemas.DevicePage:
    """Devices, those in trouble first."""
    chosen = DeviceFilter(grid=grid, device_class=device_class, state=state, place=place, text=q)
    return await view.devices.page(chosen, Paging(after, limit))


@router.get("/devices/{device}", tags=["devices"])
async def device(device: str, view: Viewing) -> schemas.DeviceDetail:
    """One device: what it is, what it says, how it is."""
    return await view.devices.one(device)


@router.get("/devices/{device}/samples", tags=["devices"])
async def samples(device: str, view: Viewing) -> list[schemas.SampleOut]:
    """The last sample of each point as its driver sent it; none before it speaks after a start of ingest."""
    return await view.devices.samples(device)


@router.get("/latest", tags=["devices"])
async def latest(
    view: Viewing, device: Annotated[list[str], Query(min_length=1, max_length=200)]
) -> dict[str, list[schemas.Value]]:
    """The latest value of every point of the devices asked for."""
    return await view.devices.latest(device)


@router.get("/series", tags=["devices"])
async def series(
    view: Viewing,
    device: str,
    point: str,
    start: Annotated[datetime | None, Query(description="Default: an hour before `end`.")] = None,
    end: Annotated[datetime | None, Query(description="Default: now.")] = None,
    buckets: Annotated[
        int | None, Query(ge=1, le=4000, description="At most this many rows: min, max, mean and count each.")
    ] = None,
) -> schemas.SeriesOut:
    """A point's history, raw or in buckets that keep every spike."""
    return await view.devices.series(device, point, start, end, buckets)


@router.get("/alarms", tags=["alarms"])
async def alarms(
    view: Viewing,
    state: Annotated[Literal["open", "closed", "all"], Query()] = "open",
    severity: Annotated[list[Severity] | None, Query()] = None,
    acknowledged: Annotated[bool | None, Query(description="Only those seen by somebody, or not.")] = None,
    grid: str = "",
    device: str = "",
    place: str = "",
    rule: str = "",
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


@router.get("/alarms/{alarm:path}", tags=["alarms"])
async def alarm(alarm: str, view: Viewing) -> schemas.AlarmDetail:
    """One occurrence of an alarm with its timeline (`id` as in the list, ``#`` written ``%23``)."""
    return await view.alarms.one(alarm)


@router.post("/alarms/{alarm:path}/acknowledge", tags=["alarms"], responses=responses(409, 413))
async def acknowledge(alarm: str, operation: schemas.Operation, view: Viewing) -> schemas.AlarmDetail:
    """Say that somebody has seen the alarm and takes it on."""
    return await view.alarms.acknowledge(alarm, operation)


@router.post("/alarms/{alarm:path}/reset", tags=["alarms"], responses=responses(409, 413))
async def reset(alarm: str, operation: schemas.Operation, view: Viewing) -> schemas.AlarmDetail:
    """Release a latched alarm after inspection; a note is required."""
    return await view.alarms.reset(alarm, operation)


@router.get("/cases", tags=["cases"])
async def cases(
    view: Viewing,
    state: Annotated[Literal["open", "overdue", "closed", "all"], Query()] = "open",
    category: str = "",
    priority: str = "",
    grid: str = "",
    officer: str = "",
    q: Annotated[str, Query(max_length=100, description="Part of number, title or place.")] = "",
    after: After = "",
    limit: Limit = 100,
) -> schemas.CasePage:
    """Cases, open ones by default: most urgent first."""
    chosen = CaseFilter(state=state, category=category, priority=priority, grid=grid, officer=officer, text=q)
    return await view.cases.page(chosen, Paging(after, limit))


@router.get("/cases/{number}", tags=["cases"], responses=responses(409))
async def case(
    number: str,
    view: Viewing,
    language: Language,
    actor: Annotated[str, Query(description="Whose actions: what this person may do.", max_length=100)] = "",
) -> schemas.CaseDetail:
    """One case: evidence, alarms, history, and what may be done next."""
    return await view.cases.one(number, language, actor)


@router.post("/cases/{number}/actions", tags=["cases"], responses=responses(409, 413))
async def act(
    number: str, action: schemas.CaseAction, view: Viewing, language: Language
) -> schemas.CaseDetail:
    """Do something with a case; refused with the reason when its life cycle does not allow it."""
    return await view.cases.act(number, action, language)


@router.get("/system", tags=["system"])
async def system(view: Viewing, language: Language) -> schemas.SystemOut:
    """Queues, rates, edges and parts: how the platform itself is doing."""
    return await view.system.show(language)


@router.get("/books", tags=["system"])
async def books(view: Viewing, language: Language, limit: Limit = 50) -> schemas.BooksOut:
    """Taken = waiting + in stream + stored + quarantined + duplicates, per edge, lane and device."""
    return await view.system.books(limit, language)


@router.get("/quarantine", tags=["system"])
async def quarantine(view: Viewing, language: Language, limit: Limit = 100) -> list[schemas.QuarantineOut]:
    """What could not be understood, and why."""
    return await view.system.quarantine(limit, language)


@router.get(
    "/health",
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
    tags=["live"],
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "Server-sent events."}},
)
async def live(
    request: Request,
    view: Viewing,
    device: Annotated[list[str] | None, Query(max_length=200, description="Readings of these too.")] = None,
    last_event_id: Annotated[str, Header()] = "",
) -> StreamingResponse:
    """What changes, as it changes: server-sent events.

    Events: ``alarm`` (LiveAlarm), ``case`` (LiveCase), ``readings`` (a list of LiveReading, for the
    devices asked for), ``site`` (the site was reloaded), ``stale`` (too much was missed: fetch anew),
    ``beat`` every 15 s with the server's time. ``Last-Event-ID`` resumes within the last 1,000 events.
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
