"""Draws the pictures of docs/dashboards.md: every dashboard with a simulated day, in the console's own parts.

The day is the one of the tests, in a real InfluxDB; each panel's query is asked as Grafana asks it, and a
page that only this script opens (console/dev/pictures) draws what came. From the root of the project:
``.venv/bin/python -m scripts.dashboard_pictures``, with the names of boards for some of them only. Node 20 or
newer must be on PATH.
"""

import json
import subprocess
import sys
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from playwright.sync_api import Browser, Route, sync_playwright

from dashboards.boards import BOARDS
from dashboards.expansion import View, variables
from gridwarden.commands.grafana import limits_of_rules
from scripts.png import indexed
from tests.dashboards.day import HOUR, MINUTE
from tests.dashboards.day_in_influx import Told, document, told_day

ROOT: Final = Path(__file__).parents[1]
PICTURES: Final = ROOT / "docs" / "pictures" / "dashboards"
LANGUAGE: Final = "en"
WIDTH: Final = 1440
_ADDRESS: Final = "http://pictures.invalid/"
_CHROMIUM: Final = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
_HOURS: Final = {"now-6h": 6, "now-24h": 24, "now-30d": 30 * 24}
_MS: Final = 1_000_000
_TOLD: Final = range(6 * HOUR, -1, -10 * MINUTE)
"""So long before the end of the day the gateway told about itself: its dashboard shows six hours."""
_PIXELS: Final = """async (png) => {
  const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
  const ink = new OffscreenCanvas(image.width, image.height).getContext("2d");
  ink.drawImage(image, 0, 0);
  const { data } = ink.getImageData(0, 0, image.width, image.height);
  const told = new FileReader();
  const read = new Promise((done) => (told.onload = done));
  told.readAsDataURL(new Blob([data]));
  await read;
  return told.result.split(",")[1];
}"""
"""A browser reads its own pictures: their pixels, RGBA."""


def main() -> None:
    """Draw the boards that are named, or all."""
    boards = sys.argv[1:] or [*BOARDS]
    with TemporaryDirectory(prefix="gridwarden-pictures-") as folder:
        page = Path(folder) / "page"
        subprocess.run(
            ["npm", "run", "--silent", "pictures", "--", "--logLevel", "warn", "--outDir", str(page)],
            cwd=ROOT / "console",
            check=True,
        )
        day = Path(folder) / "day"
        day.mkdir()
        with told_day(day, time.time_ns(), _TOLD) as told, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=_CHROMIUM)
            PICTURES.mkdir(parents=True, exist_ok=True)
            for board in boards:
                made = _document(told, board)
                pixels = _drawn(browser, page, _answered(told, board, made))
                picture = indexed(WIDTH, pixels, panels(made))
                file = PICTURES / f"{board}.png"
                file.write_bytes(picture)
                sys.stdout.write(f"{file.relative_to(ROOT)}: {len(picture) // 1000} kB\n")
            browser.close()


def panels(board: Mapping[str, Any]) -> str:
    """What a picture of this dashboard's JSON shows: a line for each panel, in order.

    It is in the picture's file, so that a picture of an older board is found.
    """
    places = ((panel, panel["gridPos"]) for panel in board["panels"])
    return "\n".join(
        f"{place['w']}×{place['h']} at {place['x']}, {place['y']}: {panel['type']} {panel['title']}"
        for panel, place in places
    )


def _document(told: Told, board: str) -> dict[str, Any]:
    site = told.day.site
    limits = dict(limits_of_rules(site, told.day.rules))
    return document(board, LANGUAGE, limits=limits, timezone=site.timezone)


def _answered(told: Told, board: str, made: Mapping[str, Any]) -> dict[str, Any]:
    """The dashboard with what its queries gave, as the page takes it (console/dev/pictures/board.ts)."""
    chosen = [_hottest(told)] if board == "device" else []
    view = told.view(made, _HOURS[made["time"]["from"]], **({"device": chosen} if chosen else {}))
    labels = {name: one.get("label") for name, one in variables(made)}
    return {
        "board": made,
        "language": LANGUAGE,
        "timezone": told.day.site.timezone,
        "start": view.start,
        "end": view.end,
        "chosen": [(labels["device"], device) for device in chosen],
        "answers": {
            panel["id"]: {target["refId"]: _asked(told, view, target["query"]) for target in panel["targets"]}
            for panel in made["panels"]
        },
        "marks": [
            {
                "color": mark["iconColor"],
                "at": [
                    row[0] for one in _asked(told, view, mark["target"]["query"]) for row in one["values"]
                ],
            }
            for mark in _marks(made)
        ],
    }


def _asked(told: Told, view: View, query: str) -> list[dict[str, Any]]:
    """Series whose times are ms, as Grafana asks for them: a browser's numbers have no room for ns."""
    return [
        {**series, "values": [[row[0] // _MS, *row[1:]] for row in series["values"]]}
        for series in told.series(view.fill(query))
    ]


def _marks(made: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for mark in made["annotations"].get("list", ()):
        if mark["enable"] and "query" in mark.get("target", {}):
            yield mark


def _hottest(told: Told) -> str:
    """The device that felt the day's fire most: something is to be seen in its curves."""
    felt = told.day.of("environment", "temperature")
    return max(felt, key=lambda said: float(said[1].value or 0))[0].id


def _drawn(browser: Browser, page: Path, answered: Mapping[str, Any]) -> bytes:
    """The page's pixels (RGBA). Nothing listens anywhere: the browser is handed the page's files."""

    def hand_over(route: Route) -> None:
        name = route.request.url.removeprefix(_ADDRESS)
        if name == "board.json":
            route.fulfill(body=json.dumps(answered), content_type="application/json")
        else:
            route.fulfill(path=page / name)

    shown = browser.new_page(
        locale=LANGUAGE, viewport={"width": WIDTH, "height": 900}, timezone_id=answered["timezone"]
    )
    errors: list[str] = []
    shown.on("pageerror", lambda error: errors.append(str(error)))
    shown.route(f"{_ADDRESS}**", hand_over)
    shown.goto(f"{_ADDRESS}index.html")
    shown.wait_for_selector("html[data-drawn]", timeout=60_000)
    if errors:
        raise SystemExit("\n".join(errors))
    pixels: str = shown.evaluate(_PIXELS, b64encode(shown.screenshot(full_page=True)).decode())
    shown.close()
    return b64decode(pixels)


if __name__ == "__main__":
    main()
