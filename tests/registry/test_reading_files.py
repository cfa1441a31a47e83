"""YAML with positions."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from registry.problems import InvalidConfiguration
from registry.reading_files import parse_yaml, read_yaml

FILE = Path("some.yaml")

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_whatever_was_written_comes_back_as_plain_data(value: Any) -> None:
    text = yaml.safe_dump(value, default_style='"')  # quoted, as YAML 1.1 and 1.2 differ on plain words
    assert parse_yaml(text, FILE).data == value


@given(st.text(max_size=200))
def test_any_text_is_either_read_or_refused_with_its_line(text: str) -> None:
    try:
        parse_yaml(text, FILE)
    except InvalidConfiguration as refused:
        lines = [problem.line for problem in refused.problems]
    else:
        lines = [1]
    assert all(line >= 1 for line in lines)


def test_every_value_knows_its_line_and_column() -> None:
    document = parse_yaml("a: 1\nb:\n  - {c: x, d: [1, 2]}\n  -  e\n", FILE)
    assert document.position(("a",)) == (1, 4)
    assert document.position(("b", 0, "c")) == (3, 9)
    assert document.position(("b", 0, "d", 1)) == (3, 19)
    assert document.position(("b", 1)) == (4, 6)
    assert document.key_position(("b", 0, "d")) == (3, 12)


def test_a_missing_value_is_placed_at_what_it_misses_from() -> None:
    document = parse_yaml("a:\n  - id: x\n  - id: y\n", FILE)
    assert document.position(("a", 1, "name")) == (3, 5)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("22:00", "22:00"),
        ("on", "on"),
        ("no", "no"),
        ("2026-10-01", "2026-10-01"),
        ("true", True),
        ("012", 12),
        ("0x1F", 31),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("~", None),
        ("'12'", "12"),
        ("1_000", "1_000"),
    ],
)
def test_words_and_times_stay_what_people_mean(text: str, value: object) -> None:
    found = parse_yaml(f"x: {text}", FILE).data["x"]
    assert found == value
    assert type(found) is type(value)


def test_a_key_given_twice_is_a_problem_and_the_first_holds() -> None:
    document = parse_yaml("a: 1\nb: 2\na: 3\n", FILE)
    assert document.data == {"a": 1, "b": 2}
    assert [str(problem) for problem in document.problems] == [
        "some.yaml:3:1: error: the key `a` is given twice (first on line 1)"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "a: !!python/object:os.system x",
            "the tag tag:yaml.org,2002:python/object:os.system is not allowed",
        ),
        ("a: !secret x", "the tag !secret is not allowed"),
        ("a: &a [*a]", "an alias may not contain itself"),
        ("? [1]\n: 2", "a key must be a word or a number"),
    ],
)
def test_what_is_no_plain_data_is_refused(text: str, said: str) -> None:
    assert said in str(parse_yaml(text, FILE).problems[0])


def test_an_anchor_may_be_used_again() -> None:
    document = parse_yaml("a: &x {k: 1}\nb: *x\n", FILE)
    assert document.data == {"a": {"k": 1}, "b": {"k": 1}}
    assert document.problems == []


@pytest.mark.parametrize(
    ("text", "line", "said", "hint"),
    [
        ("a: [1\nb: 2\n", 2, "this is not YAML", None),
        ("a: 1\n\tb: 2\n", 2, "a tab character", "indent with spaces"),
        ("a: b: c\n", 1, "mapping values are not allowed", "put text that holds a colon into quotes"),
    ],
)
def test_broken_yaml_is_refused_with_its_line(text: str, line: int, said: str, hint: str | None) -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        parse_yaml(text, FILE)
    (problem,) = caught.value.problems
    assert problem.line == line
    assert said in str(problem.message)
    assert (hint is None) == (problem.suggestion is None)
    assert hint is None or hint in str(problem.suggestion)


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration, match="cannot be read: No such file"):
        read_yaml(tmp_path / "none.yaml")
    (tmp_path / "gb.yaml").write_bytes("a: 1\nname: 滨湖".encode("gb18030"))
    with pytest.raises(InvalidConfiguration, match=r"gb.yaml:2: error: the text is not in utf-8-sig"):
        read_yaml(tmp_path / "gb.yaml")


def test_deep_nesting_is_refused_without_a_crash() -> None:
    with pytest.raises(InvalidConfiguration):
        parse_yaml("[" * 20_000, FILE)
