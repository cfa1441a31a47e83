"""Reading rules from YAML files, with every problem and its line."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from language import N_, Message
from registry.problems import InvalidConfiguration, Problem, did_you_mean, in_reading_order, shown
from registry.reading_files import Document, read_yaml
from registry.validation import problems_from_pydantic
from rules.model import Filter, Inhibit, Rule

STARTER: Final = Path(__file__).with_name("starter")
"""The rules a community begins with."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a rule stands: for problems that are found later."""

    document: Document
    path: tuple[str | int, ...]

    def problem(self, *where: str | int, message: Message, suggestion: Message | None = None) -> Problem:
        """A problem with the value at `where` inside the rule."""
        path = (*self.path, *where)
        line, column = self.document.position(path)
        value: Any = self.document.data
        for part in path:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                value = ""
                break
        text = "" if isinstance(value, dict | list) else shown(value)
        spot = ".".join(str(part) for part in where)
        return Problem(self.document.file, line, column, spot, text, message, suggestion)


class RuleList(list[Rule]):
    """The rules that were read, and where each stands."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: dict[str, Source] = {}


def load_rules(folders: Path | Iterable[Path]) -> tuple[RuleList, list[Problem]]:
    """The valid rules in the YAML files of `folders` (or single files), and everything that is wrong.

    A file holds a rule, a list of rules, or ``rules:`` and ``inhibits:``. A rule of a later folder replaces
    one with the same id of an earlier folder, so a site adjusts a starter rule by repeating it; within one
    folder the same id twice is a problem. Raises nothing for whatever is written there.
    """
    rules: dict[str, Rule] = {}
    sources: dict[str, Source] = {}
    problems: list[Problem] = []
    inhibits: list[tuple[Source, Any]] = []
    for folder in [folders] if isinstance(folders, Path) else folders:
        here: set[str] = set()
        for file in [folder] if folder.is_file() else sorted(folder.glob("*.y*ml")):
            try:
                document = read_yaml(file)
            except InvalidConfiguration as error:
                problems += error.problems
                continue
            problems += document.problems
            entries, muting = _entries(document, problems)
            inhibits += muting
            for source, data in entries:
                rule = _rule(source, data, problems)
                if rule is None:
                    continue
                if rule.id in here:
                    text = Message(N_("there is another rule `{rule}` in this folder"), {"rule": rule.id})
                    problems.append(source.problem("id", message=text))
                here.add(rule.id)
                rules[rule.id], sources[rule.id] = rule, source
    for source, data in inhibits:
        _attach(source, data, rules, problems)
    found = RuleList()
    found.extend(rules.values())
    found.sources.update(sources)
    return found, in_reading_order(problems)


_Entries = list[tuple[Source, Any]]


def _entries(document: Document, problems: list[Problem]) -> tuple[_Entries, _Entries]:
    data = document.data
    if data is None:
        return [], []
    if isinstance(data, list):
        return [(Source(document, (index,)), item) for index, item in enumerate(data)], []
    top = Source(document, ())
    if not isinstance(data, dict):
        text = Message(N_("a file of rules is a rule, a list of rules, or has `rules` and `inhibits`"))
        problems.append(top.problem(message=text))
        return [], []
    if "id" in data and not data.keys() & {"rules", "inhibits"}:
        return [(top, data)], []
    found: dict[str, _Entries] = {"rules": [], "inhibits": []}
    for key, value in data.items():
        if key not in found:
            text = Message(N_("unknown key `{key}`"), {"key": key})
            problems.append(top.problem(key, message=text, suggestion=did_you_mean(str(key), found)))
        elif isinstance(value, list):
            found[key] = [(Source(document, (key, index)), item) for index, item in enumerate(value)]
        elif value is not None:
            problems.append(top.problem(key, message=Message(N_("must be a list"))))
    return found["rules"], found["inhibits"]


def _rule(source: Source, data: Any, problems: list[Problem]) -> Rule | None:
    try:
        return Rule.model_validate(data)
    except ValidationError as error:
        name = data.get("id", "") if isinstance(data, dict) else ""
        problems += problems_from_pydantic(
            source.document, error, source.document.file, str(name or ""), base=source.path, model=Rule
        )
        return None


def _attach(source: Source, data: Any, rules: dict[str, Rule], problems: list[Problem]) -> None:
    """Give a free-standing inhibit, ``{source: {rule: …}, target: …}``, to its source rule."""
    named = data.get("source") if isinstance(data, dict) else None
    if not isinstance(named, dict) or set(named) != {"rule"}:
        text = Message(N_("an inhibit here needs `source: {{rule: …}}`"))
        problems.append(source.problem(message=text))
        return
    rest = {key: value for key, value in data.items() if key != "source"}
    try:
        inhibit = Inhibit.model_validate(rest)
    except ValidationError as error:
        problems += problems_from_pydantic(
            source.document, error, source.document.file, "inhibits", base=source.path, model=Inhibit
        )
        return
    accepted = Filter.model_validate(named["rule"]) if isinstance(named["rule"], str | list) else None
    names = [name for name in rules if accepted is not None and accepted.accepts(name)]
    if not names:
        text = Message(N_("there is no rule `{rule}`"), {"rule": shown(named["rule"])})
        suggestion = did_you_mean(str(named["rule"]), rules)
        problems.append(source.problem("source", "rule", message=text, suggestion=suggestion))
    for name in names:
        rules[name] = rules[name].model_copy(update={"inhibits": (*rules[name].inhibits, inhibit)})


def source_of(rules: Sequence[Rule], rule: Rule) -> Source | None:
    """Where `rule` stands, when `rules` came from `load_rules`."""
    return rules.sources.get(rule.id) if isinstance(rules, RuleList) else None
