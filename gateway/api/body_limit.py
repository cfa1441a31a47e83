"""No request's body is larger than a route could want: it would fill the memory before it is looked at."""

from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST: Final = 1 << 20
"""Bytes; the largest that any route takes is a case's action with fifty references, about 200 kB."""
_TOO_LARGE: Final = 413


class BodyLimit:
    """Ends the reading of a body beyond `LARGEST`, whether it says its length or comes in pieces."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; whoever reads the body of a request that is too large gets status 413."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > LARGEST:
                raise HTTPException(_TOO_LARGE)
            return message

        await self._app(scope, counted, send)
