"""A site folder with every mistake people make: each reported, none hiding another."""

from pathlib import Path

from registry.loading import load_site

FOLDER = Path(__file__).with_name("twenty_mistakes")
DRIVERS = ("zigbee2mqtt", "frigate", "modbus-rtu")


def test_every_mistake_is_reported_with_file_line_value_and_what_was_meant() -> None:
    loaded = load_site(FOLDER, drivers=DRIVERS)
    expected = (FOLDER / "expected.txt").read_text(encoding="utf-8").splitlines()
    assert [str(problem) for problem in loaded.problems] == expected
    assert len(expected) >= 20
    assert loaded.site is None


def test_a_sentence_about_what_a_value_must_be_names_the_value() -> None:
    said = [one for one in load_site(FOLDER, drivers=DRIVERS).problems if " must be " in f" {one.message}"]
    assert len(said) >= 3
    for problem in said:
        assert f"not `{problem.value}`" in str(problem)


def test_every_problem_stands_on_the_line_that_holds_its_value() -> None:
    for problem in load_site(FOLDER, drivers=DRIVERS).problems:
        text = problem.file.read_text(encoding="utf-8-sig").splitlines()
        line = text[problem.line - 1] if problem.line <= len(text) else ""
        if problem.value not in ("", "…") and not problem.value.startswith("east "):
            assert problem.value.removesuffix(".0") in line, str(problem)
        if problem.column is not None and problem.line <= len(text):
            assert problem.column <= len(line) + 1
