"""The site folder and its rules, loaded and checked together."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from registry.devices import EdgeWiring
from registry.listings import Draft
from registry.loading import load_site
from registry.problems import Problem, in_reading_order
from registry.revision import revision
from registry.site import Site
from rules.checks import check_rules
from rules.loading import STARTER, load_rules
from rules.model import Rule


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a site folder says. With an error among `problems` it must not be used."""

    site: Site | None
    rules: list[Rule]
    problems: list[Problem]
    edges: Mapping[str, Draft[EdgeWiring]] = field(default_factory=dict)
    """The valid edges with their positions: for whoever knows the drivers and checks their settings."""
    revision: str = ""
    """Changes whenever a file of the folder does."""

    @property
    def sound(self) -> bool:
        """Whether there are no errors (warnings may be there)."""
        return self.site is not None and not any(problem.severity == "error" for problem in self.problems)

    def with_problems(self, more: Collection[Problem]) -> "Configuration":
        """The same, and `more` that somebody else found."""
        return replace(self, problems=in_reading_order([*self.problems, *more]))


def load_configuration(folder: Path, drivers: Collection[str] = ()) -> Configuration:
    """The site in `folder` with the starter rules and its own, and every problem of both.

    A rule in ``<folder>/rules`` replaces the starter rule with the same id. With `drivers` a connection
    with another driver is a problem.
    """
    loaded = load_site(folder, drivers=drivers)
    rules, problems = load_rules([STARTER, folder / "rules"])
    problems = [*loaded.problems, *problems]
    if loaded.site is not None:
        problems += check_rules(rules, loaded.site)
    return Configuration(loaded.site, rules, in_reading_order(problems), loaded.edges, revision(folder))
