"""Examples for the OpenAPI document: one story, a kitchen fire, told by what a real gateway answered.

``examples/`` holds them: ``<operation>.json`` what it answers (``<operation>-<status>.json`` when not 200),
``<operation>.request.json`` what it is sent, ``live.txt`` and ``feed.json`` pieces of the feed,
``problems.json`` an error of each status. Answers and requests stand
among the document's components and are referred to; a schema's own example is its first appearance in one
of them, so that no value is written twice. A test holds each against its schema.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).with_name("examples")
JSON: Final = "application/json"
_SCHEMAS: Final = "#/components/schemas/"
_ELSEWHERE: Final = {"act": "case"}
"""Operations that answer as another one does."""
_ALSO: Final = {
    "LiveAlarm": ("alarm", "alarms"),
    "LiveCase": ("case", "cases"),
}
"""Schemas of the feed: their key, and the list whose first row stands under it."""


def illustrate(document: dict[str, Any], problem_type: str) -> None:
    """Put the examples into `document`; errors have the media type `problem_type`."""
    components = document["components"]
    shown: dict[str, Any] = components.setdefault("examples", {})
    problems = _load("problems")
    for status, problem in problems.items():
        shown[f"problem-{status}"] = {"summary": problem["title"], "value": problem}
    found: dict[str, Any] = {}
    for operation in _operations(document):
        name = operation["operationId"].partition("_api_v1_")[0]
        if "requestBody" in operation:
            content = operation["requestBody"]["content"][JSON]
            _refer(content, shown, f"{name}-request", f"{name}.request", found, components)
        for status, answer in operation["responses"].items():
            for media, content in answer.get("content", {}).items():
                if media == problem_type:
                    _point(content, f"problem-{status}")
                elif media == JSON:
                    own = name if status == "200" else f"{name}-{status}"
                    _refer(content, shown, own, _ELSEWHERE.get(own, own), found, components)
                else:
                    content["example"] = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    for schema, (key, listed) in _ALSO.items():
        found[schema] = {key: _load(listed)["items"][0]}
    found |= _load("feed")
    _collect({"$ref": f"{_SCHEMAS}Problem"}, problems["422"], found, components)
    for name, schema in components["schemas"].items():
        if name in found:
            schema["examples"] = [found[name]]


def _operations(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        yield from path.values()


def _load(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def _refer(
    content: dict[str, Any],
    shown: dict[str, Any],
    name: str,
    file: str,
    found: dict[str, Any],
    components: Mapping[str, Any],
) -> None:
    """Make the file's value the example `name` of `content`; its parts become their schemas' examples."""
    if file != name and file in shown:
        _point(content, file)
        return
    if name not in shown:
        value = _load(file)
        shown[name] = {"summary": "A kitchen fire", "value": value}
        _collect(content["schema"], value, found, components)
    _point(content, name)


def _point(content: dict[str, Any], name: str) -> None:
    content["examples"] = {name: {"$ref": f"#/components/examples/{name}"}}


def _collect(
    schema: Mapping[str, Any], value: Any, found: dict[str, Any], components: Mapping[str, Any]
) -> None:
    """Note `value` for the schema that it has, and what lies in it for theirs."""
    if (reference := schema.get("$ref")) is not None:
        name = reference.removeprefix(_SCHEMAS)
        found.setdefault(name, value)
        _collect(components["schemas"][name], value, found, components)
    for option in schema.get("anyOf", ()):
        if value is not None and ("$ref" in option or option.get("type") in ("array", "object")):
            _collect(option, value, found, components)
    if isinstance(value, list):
        for item in value:
            _collect(schema.get("items", {}), item, found, components)
    elif isinstance(value, dict):
        others = schema.get("additionalProperties")
        for key, item in value.items():
            _collect(schema.get("propertyNames", {}), key, found, components)
            inner = schema.get("properties", {}).get(key, others)
            _collect(inner if isinstance(inner, dict) else {}, item, found, components)
