"""The OpenAPI document teaches: every schema, operation and parameter has words and a sound example."""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from gateway.api.document import openapi
from gateway.api.problems import MEDIA_TYPE

DOCUMENT = openapi("0")
SCHEMAS = DOCUMENT["components"]["schemas"]
EXAMPLES = DOCUMENT["components"]["examples"]
OPERATIONS = {
    f"{method} {path}": operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}


def assert_fits(value: Any, schema: dict[str, Any]) -> None:
    whole = {**schema, "components": {"schemas": SCHEMAS}}
    jsonschema_rs.Draft202012Validator(whole, validate_formats=True).validate(value)


def contents(operation: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Status (or "request"), media type and content of everything that travels."""
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        yield "request", media, content
    for status, answer in operation["responses"].items():
        for media, content in answer.get("content", {}).items():
            yield status, media, content


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_has_words_and_an_example_that_fits_it(name: str) -> None:
    schema = SCHEMAS[name]
    assert schema["description"].rstrip().endswith("."), schema["description"]
    assert schema["examples"]
    for example in schema["examples"]:
        assert_fits(example, {"$ref": f"#/components/schemas/{name}"})


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_has_words_and_examples_of_all_that_travels(name: str) -> None:
    operation = OPERATIONS[name]
    assert operation["summary"] != operation["operationId"].partition("_api_v1_")[0].capitalize()
    assert operation["description"]
    travelling = [*contents(operation)]
    assert {"200"} <= {status for status, _, _ in travelling}
    for status, media, content in travelling:
        if media == "text/event-stream":
            assert content["example"].startswith("retry: ")
            continue
        assert content["examples"], (status, media)
        for example in content["examples"].values():
            value = EXAMPLES[example["$ref"].rpartition("/")[2]]["value"]
            assert_fits(value, content["schema"])
            if media == MEDIA_TYPE:
                assert (str(value["status"]), value["detail"] != "") == (status, True)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_parameter_has_words_and_an_example_that_fits_it(name: str) -> None:
    for parameter in OPERATIONS[name].get("parameters", []):
        assert parameter["description"], parameter["name"]
        schema = parameter["schema"]
        assert schema["examples"], parameter["name"]
        for example in schema["examples"]:
            assert_fits(example, schema)


def test_every_example_is_shown_somewhere() -> None:
    text = json.dumps(DOCUMENT["paths"])
    unused = [name for name in EXAMPLES if f"#/components/examples/{name}" not in text]
    assert unused == []
