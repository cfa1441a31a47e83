"""What is wrong with a rule file is said with its line, and what was probably meant."""

from pathlib import Path

import pytest

from registry.devices import Device
from registry.site import Site
from rules.checks import check_rules
from rules.loading import load_rules


def problems_of(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "rules.yaml"
    file.write_text(text.lstrip("\n"), encoding="utf-8")
    return [str(problem) for problem in load_rules([tmp_path])[1]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- id: a\n  wehn: {point: smoke, value: true}", "unknown key `wehn`; did you mean `when`?"),
        ("- id: a\n  when: {rate: {point: smoke}}", "`rate`, a rate of change, is not available"),
        ("- id: a\n  when: {aggregate: avg}", "`aggregate`, an aggregate over a window, is not available"),
        ("- id: a\n  for: 30\n  when: {point: p, value: 1}", "`30` is no length of time; write 30s"),
        ("- id: a\n  for: 3 weeks\n  when: {point: p, value: 1}", "`3 weeks` is no length of time"),
        ("- id: a\n  when: {point: p, op: '>', value: high}", "`>` needs a number"),
        ("- id: a\n  when: {point: p, op: between, value: [3, 1]}", "needs two numbers, the smaller first"),
        ("- id: a\n  when: {point: p, op: '=', value: 1}", "`=` is not one of"),
        ("- id: a", "a rule needs `when`, `levels` or `no_data`"),
        ("- id: a\n  no_data: {}\n  latch: true", "`latch` has no effect in a rule that only has `no_data`"),
        ("- id: a\n  max_gap: 5m\n  when: {point: p, value: 1}", "`max_gap` has no effect without `for`"),
        ("- id: a\n  severity: bad\n  when: {point: p, value: 1}", "`bad` is not one of critical, high"),
        (
            "- id: a\n  key: [building]\n  confirm: {within: [building]}\n  when: {point: p, value: 1}",
            "`confirm` counts detectors",
        ),
        (
            "- id: a\n  schedule: {from: '22:00', calendar: night}\n  when: {point: p, value: 1}",
            "a schedule is either hours",
        ),
        (
            "- {id: a, when: {point: p, value: 1}}\n- {id: a, when: {point: p, value: 1}}",
            "rules.yaml:2:8: error: id: there is another rule `a`",
        ),
        ("rules: []\ninhibit: []", "unknown key `inhibit`; did you mean `inhibits`?"),
        (
            (
                "rules: [{id: edge-offline, no_data: {}}]\n"
                "inhibits: [{source: {rule: edge-ofline}, target: {}, equal: [edge]}]"
            ),
            "2:28: error: source.rule: there is no rule `edge-ofline`; did you mean `edge-offline`?",
        ),
        ("- id: a\n   when: 1", "this is not YAML"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, expected: str) -> None:
    problems = problems_of(tmp_path, text)
    assert any(expected in problem for problem in problems), problems


def test_every_mistake_is_reported_and_the_good_rules_are_kept(tmp_path: Path) -> None:
    text = "- {id: a, when: {point: p, valu: 1}}\n- {id: b, for: x}\n- {id: c, when: {point: p, value: 1}}\n"
    (tmp_path / "rules.yaml").write_text(text, encoding="utf-8")
    rules, problems = load_rules([tmp_path])
    assert [rule.id for rule in rules] == ["c"]
    assert {problem.line for problem in problems} == {1, 2}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "- id: a\n  match: {device_type: smoek}\n  when: {point: smoke, value: true}",
            (
                "rules.yaml:2:24: error: match.device_type: there is no device type or class `smoek`; "
                "did you mean `smoke`?"
            ),
        ),
        (
            "- id: a\n  match: {device_type: smoke}\n  when: {point: smok, value: true}",
            "there is no point `smok`; did you mean `smoke`?",
        ),
        (
            "- id: a\n  match: {device_type: smoke}\n  when: {point: smoke, op: '>', value: 3}",
            "the point `smoke` cannot be compared by `>` with 3",
        ),
        (
            "- id: a\n  match: {device_type: environment}\n  when: {point: temperature, value: hot}",
            "the point `temperature` cannot be compared by `==` with hot",
        ),
        ("- id: a\n  match: {grid: {starts_with: X}}\n  no_data: {}", "nothing here begins with `X`"),
        ("- id: a\n  match: {place: flat-z}\n  no_data: {}", "no place `flat-z`; did you mean `flat-"),
        (
            "- id: a\n  match: {device_type: camera}\n  when: {point: event, value: person}",
            "an event has no end",
        ),
        (
            (
                "- id: a\n  match: {device_type: camera}\n  keep_for: 5m\n  for: 5s\n"
                "  when: {point: event, value: person}"
            ),
            "an event is a moment and cannot last",
        ),
        (
            (
                "- id: a\n  match: {device_type: camera}\n  keep_for: 5m\n"
                "  when: {any: [{point: event, value: person}, {point: available, value: false}]}"
            ),
            "an event and a state can only be joined by `all`",
        ),
        (
            (
                "- id: a\n  match: {device_type: door}\n  when: {point: open, value: true}\n"
                "  schedule: {calendar: nigth}"
            ),
            "there is no calendar `nigth`; did you mean `night`?",
        ),
        (
            (
                "- id: a\n  match: {device_type: door}\n  when: {point: open, value: true}\n"
                "  schedule: {tz: Asia/Shangai, from: '22:00', to: '06:00'}"
            ),
            "there is no time zone `Asia/Shangai`; did you mean `Asia/Shanghai`?",
        ),
        (
            (
                "- id: a\n  match: {device_type: gas}\n"
                "  when: {all: [{point: gas, value: true}, {point: carbon_monoxide, op: '>', value: 5}]}"
            ),
            "no device type has all the points of this condition",
        ),
    ],
)
def test_a_rule_that_does_not_fit_the_site_is_named(
    tmp_path: Path, community: Site, text: str, expected: str
) -> None:
    (tmp_path / "rules.yaml").write_text(text, encoding="utf-8")
    rules, problems = load_rules([tmp_path])
    assert not problems
    found = [str(problem) for problem in check_rules(rules, community)]
    assert any(expected in problem for problem in found), found


def test_an_override_that_changes_nothing_is_named(tmp_path: Path, community: Site) -> None:
    rule = "- id: hot\n  match: {device_type: environment}\n  when: {point: temperature, op: '>', value: 60}"
    (tmp_path / "rules.yaml").write_text(rule, encoding="utf-8")
    device = Device(
        id="temp-x",
        type="thermometer",
        place="flat-a",
        edge="edge-1",
        connection="c",
        address="99",
        overrides={"hott": 80},
    )
    site = Site.of(
        grids=community.grids.values(),
        places=community.places.values(),
        types=community.types.values(),
        devices=[device],
    )
    problems = [str(problem) for problem in check_rules(load_rules([tmp_path])[0], site)]
    assert problems == [
        "devices.csv:1: error: temp-x.overrides: no rule has the threshold `hott`; did you mean `hot`?"
    ]
