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


class _Api(FastAPI):
    """FastAPI, with a document that says which media type the errors have: FastAPI takes all for JSON."""

    def openapi(self) -> dict[str, Any]:
        """The document, made once."""
        if self.openapi_schema is None:
            found = super().openapi()
            operations = [one for path in found["paths"].values() for one in path.values()]
            for answer in (answer for one in operations for answer in one["responses"].values()):
                content = answer.get("content", {})
                if problems.MEDIA_TYPE in content and "application/json" in content:
                    content[problems.MEDIA_TYPE] = content.pop("application/json")
        assert self.openapi_schema is not None  # noqa: S101 - made above
        return self.openapi_schema


def new_app(version: str) -> FastAPI:
    """An application with the API's routes; its state needs `views` before it can answer."""
    app = _Api(
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
