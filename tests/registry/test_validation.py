"""pydantic's errors as readable problems."""

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from registry.model import Model
from registry.reading_files import parse_yaml
from registry.validation import problems_from_pydantic


class Threshold(Model):
    """A form of a condition."""

    point: str
    above: float = Field(gt=0)


class Every(Model):
    """Another form."""

    all: list["Threshold | Every"]


class Connection(Model):
    """Something that may hold what nobody should read."""

    password: int
    mode: Literal["fast", "slow"] = "fast"


class Tagged(Model):
    """One of two forms told apart by a word."""

    kind: Literal["a"]


class OtherTagged(Model):
    """The other."""

    kind: Literal["b"]


def said(model: object, text: str) -> list[str]:
    document = parse_yaml(text, Path("f.yaml"))
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(model).validate_python(document.data)
    return [
        str(p) for p in problems_from_pydantic(document, caught.value, document.file, "here", model=model)
    ]


def test_of_a_union_the_form_that_got_furthest_is_reported() -> None:
    assert said(Threshold | Every, "all:\n  - {point: smoke, above: 1}\n  - {point: smoke, above: -1}\n") == [
        "f.yaml:3:27: error: here.all[1].above: must be more than 0.0, not `-1`"
    ]


def test_a_value_that_fits_no_form_is_reported_once() -> None:
    assert said(dict[str, int | bool], "a: [1]\n") == [
        "f.yaml:1:4: error: here.a: `[1]` fits none of the forms that are allowed here"
    ]


def test_an_unknown_key_deep_inside_a_union_gets_the_key_that_was_meant() -> None:
    assert said(Threshold | Every, "all:\n  - {point: smoke, abov: 1}\n") == [
        "f.yaml:2:5: error: here.all[0].above: `above` is missing",
        "f.yaml:2:20: error: here.all[0].abov: unknown key `abov`; did you mean `above`?",
    ]


def test_a_wrong_word_gets_the_word_that_was_meant() -> None:
    assert said(Connection, "password: 1\nmode: fst\n") == [
        "f.yaml:2:7: error: here.mode: `fst` is not one of fast, slow; did you mean `fast`?"
    ]


def test_a_secret_is_never_shown() -> None:
    document = parse_yaml("password: hunter2\n", Path("f.yaml"))
    with pytest.raises(ValidationError) as caught:
        Connection.model_validate(document.data)
    (problem,) = problems_from_pydantic(document, caught.value, document.file)
    assert problem.value == "…"
    assert "hunter2" not in repr(problem)


def test_a_tag_that_names_no_form_gets_the_one_that_was_meant() -> None:
    form = Annotated[Tagged | OtherTagged, Field(discriminator="kind")]
    assert said(form, "kind: c\n") == ["f.yaml:1:1: error: here: `c` is not one of a, b"]
    assert said(form, "other: c\n") == [
        "f.yaml:1:1: error: here: 'kind' is missing: it says which form this has"
    ]


def test_the_wrong_kind_of_thing_is_named() -> None:
    assert said(Threshold, "- 1\n") == ["f.yaml:1:1: error: here: must be a mapping of keys to values"]
    assert said(Every, "all: 3\n") == ["f.yaml:1:6: error: here.all: must be a list, not `3`"]
