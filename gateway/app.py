"""The web application: API, metrics, and the built console's pages."""

from pathlib import Path
from typing import Final

from fastapi import FastAPI, Response
from fastapi.responses import FileResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as ASGIMessage

from gateway import reference
from gateway.api.body_limit import BodyLimit
from gateway.api.document import new_app
from gateway.api.problems import NotFound
from gateway.api.views import Views
from gateway.measured import Measured
from gateway.metrics import create_metrics
from gateway.status import Status
from registry.reading_files import is_file

PAGES: Final = Path(__file__).with_name("pages")

_CONTENT_POLICY: Final = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


class SecurityHeaders:
    """Adds the headers that keep a browser from running or framing what is not ours."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, with the headers added to each answer."""

        async def guarded(message: ASGIMessage) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("Content-Security-Policy", _CONTENT_POLICY)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("Referrer-Policy", "same-origin")
            await send(message)

        await self._app(scope, receive, guarded if scope["type"] == "http" else send)


def create_app(views: Views, status: Status, version: str, pages: Path = PAGES) -> FastAPI:
    """The application that answers with `views`; `status` counts for the metrics."""
    measured = Measured(views)
    metrics = create_metrics(status, measured)
    app = new_app(version)
    app.state.views = views
    app.add_middleware(BodyLimit)
    app.add_middleware(GZipMiddleware, minimum_size=2000, compresslevel=3)
    app.add_middleware(SecurityHeaders)

    @app.get("/metrics", include_in_schema=False)
    async def prometheus() -> PlainTextResponse:
        await measured.refresh()
        return PlainTextResponse(generate_latest(metrics), media_type=CONTENT_TYPE_LATEST)

    app.include_router(reference.router)
    _serve_pages(app, pages)
    return app


def _serve_pages(app: FastAPI, pages: Path) -> None:
    index = pages / "index.html"
    if (pages / "assets").is_dir():
        app.mount("/assets", StaticFiles(directory=pages / "assets"), name="assets")

    @app.get("/{path:path}", include_in_schema=False)
    def page(path: str) -> Response:
        file = (pages / path.replace("\0", "")).resolve()
        if path and is_file(file) and file.is_relative_to(pages.resolve()):
            return FileResponse(file)
        if path.startswith("api/"):
            raise NotFound(path)
        if not index.is_file():
            return PlainTextResponse(
                "The console's pages are not built. Run ./run once.",
                status_code=503,
            )
        return FileResponse(index, headers={"Cache-Control": "no-cache"})
