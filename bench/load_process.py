"""The load as a process of its own: ``python -m bench.load_process PLAN.json RESULT.json``.

A plan is ``{"kind": "batches" | "messages", …}`` as `batches` and `messages` make it. What was acknowledged
is written as JSON when everything is.
"""

import json
import sys
from pathlib import Path
from typing import Any

import uvloop

from bench.community import Traffic, traffic
from bench.figures import CannotMeasure
from registry.loading import load_site
from simulators.load import BatchLoad, LoadResult, MessageLoad, numbered, publish_batches, publish_messages

BATCH = 100
"""Readings in a batch."""


def batches(
    site: Path,
    url: str,
    user: str,
    password_file: Path,
    rate: float,
    seconds: float,
    first_seq: dict[str, int],
    *,
    without: str = "",
) -> dict[str, object]:
    """A plan: the devices of `site` say everything they can, `rate` readings a second in all (0: as fast as
    they are taken), in batches as their edges send them. `first_seq` is by ``edge/lane``; `without`
    is an edge that does not speak.
    """
    return {
        "kind": "batches",
        "site": str(site),
        "url": url,
        "user": user,
        "password_file": str(password_file),
        "rate": rate,
        "seconds": seconds,
        "first_seq": first_seq,
        "without": without,
    }


def messages(
    host: str, port: int, topics: list[str], point: str, rate: float, seconds: float
) -> dict[str, object]:
    """A plan: single MQTT messages of one reading each, QoS 1."""
    return {
        "kind": "messages",
        "host": host,
        "port": port,
        "topics": topics,
        "point": point,
        "rate": rate,
        "seconds": seconds,
    }


async def _batches(plan: dict[str, Any]) -> dict[str, Any]:
    site = load_site(Path(plan["site"])).site
    if site is None:
        raise CannotMeasure(f"{plan['site']} does not load")
    said = [each for each in traffic(site) if each.edge != plan["without"]]
    series = sum(len(each.series) for each in said)
    loads = [
        BatchLoad(
            each.edge,
            each.lane,
            (),
            (),
            rate=plan["rate"] * len(each.series) / series,
            seconds=plan["seconds"],
            batch=BATCH,
            first_seq=plan["first_seq"].get(f"{each.edge}/{each.lane}", 1),
            series=each.series,
            value=_values(each),
        )
        for each in said
    ]
    results = await publish_batches(
        plan["url"],
        loads,
        user=plan["user"],
        password=plan["password"],
    )
    next_seq = {
        f"{edge}/{lane}": plan["first_seq"].get(f"{edge}/{lane}", 1) + result.messages
        for (edge, lane), result in results.items()
    }
    return _summary(list(results.values())) | {"next_seq": next_seq}


def _values(said: Traffic) -> Any:
    return said.value


async def _messages(plan: dict[str, Any]) -> dict[str, Any]:
    load = MessageLoad(plan["topics"], numbered(plan["point"]), seconds=plan["seconds"], rate=plan["rate"])
    return _summary([await publish_messages(plan["host"], plan["port"], load)])


def _summary(results: list[LoadResult]) -> dict[str, Any]:
    return {
        "readings": sum(result.readings for result in results),
        "refused": sum(result.refused for result in results),
        "behind": max(result.behind for result in results),
        "began": min(result.began for result in results),
        "ended": max(result.ended for result in results),
    }


def main() -> None:
    """Do what the plan says."""
    plan, answer = (Path(argument) for argument in sys.argv[1:3])
    wanted = json.loads(plan.read_text(encoding="utf-8"))
    if "password_file" in wanted:
        wanted["password"] = Path(wanted["password_file"]).read_text(encoding="utf-8").strip()
    work = _batches if wanted["kind"] == "batches" else _messages
    result = uvloop.run(work(wanted))
    answer.write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
