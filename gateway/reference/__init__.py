"""The API's reference for people at ``/docs``: Swagger UI over the OpenAPI document.

Everything comes from this machine (Swagger UI's files from the package fastapi-offline), so that it works
without internet and under the gateway's Content-Security-Policy.
"""

from importlib.resources import files
from pathlib import Path
from typing import Final

from fastapi import APIRouter
from fastapi.responses import FileResponse

from gateway.api.problems import NotFound

_OURS: Final = Path(__file__).parent
_SWAGGER: Final = Path(str(files("fastapi_offline").joinpath("static")))
_FILES: Final = {
    "start.js": _OURS / "start.js",
    "page.css": _OURS / "page.css",
    "swagger-ui-bundle.js": _SWAGGER / "swagger-ui-bundle.js",
    "swagger-ui.css": _SWAGGER / "swagger-ui.css",
}

router = APIRouter(prefix="/docs", include_in_schema=False)


@router.get("")
def page() -> FileResponse:
    """The page itself."""
    return FileResponse(_OURS / "index.html", headers={"Cache-Control": "no-cache"})


@router.get("/{name}")
def file(name: str) -> FileResponse:
    """One of its files."""
    if name not in _FILES:
        raise NotFound(f"/docs/{name}")
    return FileResponse(_FILES[name], headers={"Cache-Control": "no-cache"})
