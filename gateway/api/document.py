"""The API's OpenAPI document without a running gateway: for clients that are generated from it."""

from typing import Any, Final

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from gateway.api import problems, schemas
from gateway.api.illustrations import illustrate
from gateway.api.routes import router

TITLE: Final = "GridWarden"
DESCRIPTION: Final = """\
Devices, readings, alarms and cases of one community.

The examples tell one story: a kitchen burns, an officer accepts the case. Errors are RFC 9457 problem
documents; sentences are in the language of Accept-Language. Times are RFC 3339 in UTC. `GET /api/v1/live`
pushes changes as server-sent events. Whatever the console can do, another system can do here.
"""


TAGS: Final = [
    {"name": "site", "description": "The community: its grids and people, and how it is just now."},
    {"name": "devices", "description": "Detectors, door contacts and cameras: what they say and said."},
    {"name": "alarms", "description": "What rules found in the readings, until it is over and acknowledged."},
    {"name": "cases", "description": "What people do about alarms, with officer, limit and history."},
    {"name": "system", "description": "The platform itself: parts, queues, books."},
    {"name": "quarantine", "description": "What could not be used: look at it, try it again, drop it."},
    {"name": "live", "description": "What changes, pushed."},
]


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
            found["components"]["schemas"] |= _schemas_of_the_feed()
            illustrate(found, problems.MEDIA_TYPE)
        assert self.openapi_schema is not None  # noqa: S101 - made above
        return self.openapi_schema


def _schemas_of_the_feed() -> dict[str, Any]:
    """What the events of `GET /api/v1/live` carry; OpenAPI has no place for it but the components."""
    models = (schemas.LiveAlarm, schemas.LiveCase, schemas.LiveReading, schemas.LiveSite)
    _, made = models_json_schema(
        [(model, "serialization") for model in models], ref_template="#/components/schemas/{model}"
    )
    return {name: schema for name, schema in made["$defs"].items() if name.startswith("Live")}


def new_app(version: str) -> FastAPI:
    """An application with the API's routes; its state needs `views` before it can answer."""
    app = _Api(
        title=TITLE,
        version=version,
        description=DESCRIPTION,
        openapi_tags=TAGS,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        separate_input_output_schemas=False,
    )
    problems.install(app, router.routes)
    app.include_router(router)
    return app


def openapi(version: str) -> dict[str, Any]:
    """The document of this version of GridWarden."""
    return new_app(version).openapi()
