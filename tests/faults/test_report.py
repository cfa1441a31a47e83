"""Runs in pieces make one record and one page."""

from pathlib import Path
from typing import Any

import pytest

from bench.machine import this_machine
from chaos.outcome import Outcome
from chaos.report import read_json, with_earlier, write_json, write_report
from chaos.scenarios import SCENARIOS


def outcome(name: str, seed: int = 1, **more: Any) -> Outcome:
    return Outcome(name, seed, "full", **more)


def test_what_is_written_can_be_read_again(tmp_path: Path) -> None:
    found = outcome(
        "cut", sent=5, stored=5, figures={"smoke to case, s": 0.5}, notes=["a note"], recovery=1.5
    )
    write_json(tmp_path / "runs.json", this_machine(), [found])
    assert read_json(tmp_path / "runs.json") == [found]


def test_a_later_run_of_a_scenario_takes_the_place_of_the_earlier_in_the_order_of_the_list() -> None:
    names = list(SCENARIOS)
    earlier = [outcome(names[3]), outcome(names[0]), outcome("gone")]
    found = with_earlier([outcome(names[0], seed=2), outcome(names[1])], earlier)
    assert [(one.scenario, one.seed) for one in found] == [(names[0], 2), (names[1], 1), (names[3], 1)]


def test_the_page_has_a_row_for_each_and_names_what_was_not_passed(tmp_path: Path) -> None:
    runs = [
        outcome("calm", sent=1_234, stored=1_234),
        outcome("cut", sent=10, stored=9, lost=1, faults=["1 lost"]),
    ]
    write_report(tmp_path / "page.md", this_machine(), runs)
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "| calm | 1 | 1,234 | 1,234 |" in page
    assert "**cut was not passed**: 1 lost" in page
    assert "{" not in page, "every place of the page is filled"


def test_large_figures_are_written_out(tmp_path: Path) -> None:
    write_report(
        tmp_path / "page.md", this_machine(), [outcome("calm", figures={"a": 29_305.5, "b": 0.6602})]
    )
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "a: 29,306" in page
    assert "b: 0.66\n" in page


def test_a_file_that_is_no_record_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "runs.json"
    file.write_text('{"something": "else"}', encoding="utf-8")
    with pytest.raises(ValueError, match="outcomes"):
        read_json(file)
