"""Fires that were lit against alarms and cases that came of them."""

from typing import Any

from chaos.fire import compare_fires


def alarm(device: str, case: str | None = "2026-1", rule: str = "smoke") -> dict[str, Any]:
    return {"rule": rule, "device": device, "case": case}


def test_each_fire_is_one_alarm_and_has_its_case():
    assert compare_fires(["a", "b"], [alarm("a"), alarm("b", "2026-2")], ["2026-1", "2026-2"]) == []


def test_two_fires_of_one_place_may_be_one_case_and_other_alarms_are_not_looked_at():
    found = [alarm("a"), alarm("b"), alarm("c", None, "device-silent")]
    assert compare_fires(["a", "b"], found, ["2026-1"]) == []


def test_a_fire_without_alarm_or_without_case_is_told_of():
    assert compare_fires(["a"], [], []) == ["the fire at a is 0 alarms, not 1"]
    assert compare_fires(["a"], [alarm("a", None)], []) == ["the fire at a has no case"]


def test_a_fire_too_many_is_told_of():
    twice = [alarm("a"), alarm("a", "2026-2")]
    assert compare_fires(["a"], twice, ["2026-1", "2026-2"]) == ["the fire at a is 2 alarms, not 1"]
    assert compare_fires([], [alarm("a")], ["2026-1"]) == ["a fire at a that nobody lit"]


def test_a_case_that_no_alarm_belongs_to_is_told_of():
    assert compare_fires(["a"], [alarm("a")], ["2026-1", "2026-2"]) == ["case 2026-2 has no alarm"]
