"""The rules that ship: they fit the types that ship, and say what they do."""

from pathlib import Path

from registry.site import Site
from registry.types_folder import read_types
from rules.checks import check_rules
from rules.explain import explain
from rules.loading import STARTER, load_rules


def shipped_types(tmp_path: Path) -> Site:
    problems: list[object] = []
    types = read_types(tmp_path / "types", problems)
    assert not problems
    return Site.of(types=[kind for kind in types.values() if kind is not None])


def test_every_starter_rule_fits_the_shipped_device_types(tmp_path: Path) -> None:
    rules, problems = load_rules([STARTER])
    assert not problems
    assert not check_rules(rules, shipped_types(tmp_path))
    assert {rule.id for rule in rules} == {
        "smoke",
        "room-temperature",
        "gas",
        "carbon-monoxide",
        "door-forced",
        "door-held",
        "intrusion",
        "device-silent",
        "edge-offline",
    }


def test_every_starter_rule_has_a_label_in_both_languages() -> None:
    rules, _ = load_rules([STARTER])
    assert all(rule.label.keys() == {"zh", "en"} for rule in rules)


def test_a_rule_is_explained_in_a_sentence() -> None:
    rules, _ = load_rules([STARTER])
    sentences = {rule.id: str(explain(rule, "en")) for rule in rules}
    assert sentences["smoke"].startswith("when smoke is detected: critical alarm; a pre-alarm first")
    assert sentences["door-held"] == (
        "when the door is open for 3m: medium alarm; only mon-sun from 22:00 to 06:00"
    )


def test_a_site_replaces_a_starter_rule_by_repeating_its_id(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(
        "- {id: smoke, version: 2, when: {point: smoke, value: true}}\n", encoding="utf-8"
    )
    rules, problems = load_rules([STARTER, tmp_path])
    assert not problems
    assert next(rule for rule in rules if rule.id == "smoke").version == 2
