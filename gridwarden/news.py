"""What happens, told in the terminal: the gateway's live feed as one line for each alarm and case."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any, Final

import httpx

from gridwarden.console_text import say, tell
from language import preferred

_AGAIN_SECONDS: Final = 2.0
_TOLD_KINDS: Final = frozenset({"alarm", "case"})


async def follow(address: str) -> None:
    """Tell what happens until cancelled; a gateway that is away is asked again."""
    told: dict[str, str] = {}
    since = datetime.now(UTC)
    last = ""
    while True:
        try:
            async with (
                httpx.AsyncClient(trust_env=False, timeout=httpx.Timeout(5, read=60)) as client,
                client.stream("GET", f"{address}/api/v1/live", headers={"Last-Event-ID": last}) as answer,
            ):
                name = ""
                async for line in answer.aiter_lines():
                    key, _, value = line.partition(": ")
                    if key == "id":
                        last = value
                    elif key == "event":
                        name = value
                    elif key == "data" and name in _TOLD_KINDS:
                        _tell(name, json.loads(value), told, since)
        except httpx.TransportError:
            pass
        await asyncio.sleep(_AGAIN_SECONDS)


def _tell(name: str, body: dict[str, Any], told: dict[str, str], since: datetime) -> None:
    language = preferred().split("-")[0]
    if name == "case":
        case = body["case"]
        if told.get(case["number"]) == case["state"]:
            return
        # What was opened before we listened is no news of an opening, whatever happens to it now.
        first = case["number"] not in told and datetime.fromisoformat(case["opened_at"]) >= since
        told[case["number"]] = case["state"]
        officer = (case["officer"] or {}).get("name") or case["holder"] or "–"
        values = {"number": case["number"], "title": case["title"].get(language, ""), "officer": officer}
        if first:
            _say(tell("case {number} opened: {title} → {officer}", **values))
        else:
            _say(tell("case {number}: {state}", **values, state=case["state"]))
    else:
        alarm = body["alarm"]
        state = f"{alarm['condition']} {alarm['severity']}"
        if told.get(alarm["id"]) == state or alarm["no_data"]:
            return
        told[alarm["id"]] = state
        _say(
            f"{alarm['severity']:8} {alarm['condition']:9} "
            f"{alarm['rule_label'].get(language, '')} · {alarm['device_name'].get(language, '')}"
        )


def _say(line: str) -> None:
    say(f"  {datetime.now().astimezone():%H:%M:%S}  {line}")
