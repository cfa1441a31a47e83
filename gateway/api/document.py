"""The API's OpenAPI document without a running gateway: for clients that are generated from it."""

from typing import Any, Final

from fastapi import FastAPI

from gateway.api import problems
from gateway.api.routes import router

TITLE: Final = "GridWarden"
DESCRIPTION: Final = """\
Devices, readings, alarms and cases of one community.

Errors are RFC 9457 problem documents. Times are RFC 3339 in UTC. `GET /api/v1/live` pushes changes as
server-sent events. Whatever the console can do, another system can do here.
"""


def new_app(version: str) -> FastAPI:
    """An application with the API's routes; its state needs `views` before it can answer."""
    app = FastAPI(
        title=TITLE,
        version=version,
        description=DESCRIPTION,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        separate_input_output_schemas=False,
    )
    problems.install(app)
    app.include_router(router)
    return app


def openapi(version: str) -> dict[str, Any]:
    """The document of this version of GridWarden."""
    return new_app(version).openapi()
