"""Errors as RFC 9457 problem documents, in the caller's language."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from gateway.api.schemas import Problem
from language import N_, Message, preferred, translator

MEDIA_TYPE = "application/problem+json"
_LONGEST = 500
"""Characters of what the caller sent that an answer repeats."""
_MOST = 100
"""Places at which a request is said to be wrong."""


class ApiError(Exception):
    """A request that cannot be answered; becomes a problem document."""

    status = HTTPStatus.BAD_REQUEST
    type = "urn:gridwarden:bad-request"

    def __init__(self, message: Message) -> None:
        super().__init__(str(message))
        self.message = message


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


def install(app: FastAPI) -> None:
    """Answer every error of `app` with a problem document."""

    @app.exception_handler(ApiError)
    async def refused(request: Request, error: ApiError) -> JSONResponse:
        say = translator(_language(request))
        return _answer(request, error.status, error.type, say(error.message))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        answer = _answer(request, HTTPStatus(error.status_code), "about:blank", str(error.detail))
        answer.headers.update(error.headers or {})  # a 405 names the methods that are allowed
        return answer

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        say = translator(_language(request))
        errors = [
            {"where": _plain(".".join(map(str, found["loc"]))), "message": _plain(str(found["msg"]))}
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


def _plain(text: str) -> str:
    """`text` cut where nobody reads on, and without the half characters that JSON may carry and UTF-8 not."""
    return text[:_LONGEST].encode("utf-8", "backslashreplace").decode("utf-8")


def _language(request: Request) -> str:
    accepted = request.headers.get("accept-language", "")
    return preferred(part.split(";")[0].strip() for part in accepted.split(",") if part.strip())


def _answer(
    request: Request, status: HTTPStatus, kind: str, detail: str, errors: list[dict[str, str]] | None = None
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
