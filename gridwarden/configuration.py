"""The site folder and its rules, loaded and checked together."""

from dataclasses import dataclass
from pathlib import Path

from registry.loading import load_site
from registry.problems import Problem, in_reading_order
from registry.site import Site
from rules import STARTER_RULES, Rule, check_rules, load_rules


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a site folder says. With an error among `problems` it must not be used."""

    site: Site | None
    rules: list[Rule]
    problems: list[Problem]

    @property
    def sound(self) -> bool:
        """Whether there are no errors (warnings may be there)."""
        return self.site is not None and not any(problem.severity == "error" for problem in self.problems)


def load_configuration(folder: Path) -> Configuration:
    """The site in `folder` with the starter rules and its own, and every problem of both.

    A rule in ``<folder>/rules`` replaces the starter rule with the same id.
    """
    loaded = load_site(folder)
    rules, problems = load_rules([STARTER_RULES, folder / "rules"])
    problems = [*loaded.problems, *problems]
    if loaded.site is not None:
        problems += check_rules(rules, loaded.site)
    return Configuration(loaded.site, rules, in_reading_order(problems))
