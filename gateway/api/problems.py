"""Errors as RFC 9457 problem documents, in the caller's language."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Route

from gateway.api.body_limit import LARGEST
from gateway.api.schemas import Fault, Problem
from language import N_, Message, preferred, translator
from registry.problems import shown
from registry.validation import sentence

MEDIA_TYPE = "application/problem+json"
_LONGEST = 500
"""Characters of what the caller sent that an answer repeats."""
_MOST = 100
"""Places at which a request is said to be wrong."""


_REASONS: Final[dict[HTTPStatus, str]] = {
    HTTPStatus.BAD_REQUEST: N_("The request's body cannot be read."),
    HTTPStatus.METHOD_NOT_ALLOWED: N_("This address does not take {method}."),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: N_("The request is larger than {largest} bytes."),
}
"""What the framework's own refusals mean, for people."""


class ApiError(Exception):
    """A request that cannot be answered; becomes a problem document."""

    status = HTTPStatus.BAD_REQUEST
    type = "urn:gridwarden:bad-request"

    def __init__(self, message: Message) -> None:
        super().__init__(str(message))
        self.message = message


class Unauthorized(ApiError):
    """Whoever asks has not shown the secret that it takes."""

    status = HTTPStatus.UNAUTHORIZED
    type = "urn:gridwarden:unauthorized"


class NotFound(ApiError):
    """What the request names does not exist."""

    status = HTTPStatus.NOT_FOUND
    type = "urn:gridwarden:not-found"

    def __init__(self, what: str) -> None:
        super().__init__(Message(N_("There is no {what} here."), {"what": _plain(what)}))


class Conflict(ApiError):
    """The thing exists but its state does not allow what was asked."""

    status = HTTPStatus.CONFLICT
    type = "urn:gridwarden:refused"


class Unavailable(ApiError):
    """A part that is needed for the answer is down just now; try again."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    type = "urn:gridwarden:unavailable"


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's description of the problems a route may answer with."""
    return {
        status: {"model": Problem, "description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {}}}
        for status in statuses
    }


def install(app: FastAPI, routes: Sequence[BaseRoute]) -> None:
    """Answer every error of `app`, whose API are `routes`, with a problem document."""

    @app.exception_handler(ApiError)
    async def refused(request: Request, error: ApiError) -> JSONResponse:
        say = translator(_language(request))
        return _answer(request, error.status, error.type, say(error.message))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        status = HTTPStatus(error.status_code)
        say = translator(_language(request))
        reason = Message(
            _REASONS.get(status, str(error.detail)), {"method": request.method, "largest": LARGEST}
        )
        answer = _answer(request, status, "about:blank", say(reason))
        answer.headers.update(error.headers or {})
        if status is HTTPStatus.METHOD_NOT_ALLOWED and (allowed := _allowed(routes, request.url.path)):
            answer.headers["allow"] = ", ".join(sorted(allowed))
        return answer

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        say = translator(_language(request))
        errors = [
            Fault(
                where=_plain(".".join(map(str, found["loc"]))),
                message=_plain(say(sentence(found, _refused_word(found)))),
            )
            for found in error.errors()[:_MOST]
        ]
        count = len(error.errors())
        detail = say(
            Message(N_("The request is not valid in {count} {count|place|places}."), {"count": count})
        )
        return _answer(
            request, HTTPStatus.UNPROCESSABLE_ENTITY, "urn:gridwarden:invalid-request", detail, errors
        )

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> JSONResponse:
        """A mistake of ours: the log has it, the caller learns that it is not theirs."""
        say = translator(_language(request))
        detail = say(Message(N_("The gateway made a mistake; its log says which.")))
        return _answer(request, HTTPStatus.INTERNAL_SERVER_ERROR, "about:blank", detail)


def _allowed(routes: Sequence[BaseRoute], path: str) -> set[str]:
    """The methods that `path` takes; the framework names those of the first route that fits."""
    fitting = (
        route.methods or ()
        for route in routes
        if isinstance(route, Route) and route.include_in_schema and route.path_regex.match(path)
    )
    return {method for methods in fitting for method in methods}


def _refused_word(found: ErrorDetails) -> str:
    """The value that will not do; nothing for a whole object (it may be large, and says little)."""
    scalar = isinstance(found["input"], str | int | float)
    return shown(found["input"]) if scalar or "expected" in found.get("ctx", {}) else ""


def _plain(text: str) -> str:
    """`text` cut where nobody reads on, and without the half characters that JSON may carry and UTF-8 not."""
    return text[:_LONGEST].encode("utf-8", "backslashreplace").decode("utf-8")


def _language(request: Request) -> str:
    accepted = request.headers.get("accept-language", "")
    return preferred(part.split(";")[0].strip() for part in accepted.split(",") if part.strip())


def _answer(
    request: Request, status: HTTPStatus, kind: str, detail: str, errors: list[Fault] | None = None
) -> JSONResponse:
    problem = Problem(
        type=kind,
        title=status.phrase,
        status=status.value,
        detail=detail,
        instance=request.url.path,
        errors=errors or [],
    )
    return JSONResponse(problem.model_dump(), status.value, media_type=MEDIA_TYPE)
