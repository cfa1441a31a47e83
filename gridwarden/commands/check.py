"""``gridwarden check``: every mistake of a site folder, in the order in which somebody mends them."""

import json
from pathlib import Path

from gridwarden.console_text import complain, say, tell, translate
from gridwarden.site_check import check_site
from registry.problems import Problem


def run(site: Path, *, as_json: bool) -> int:
    """Check `site`; the exit code is 1 when it has errors."""
    loaded = check_site(site)
    errors = sum(problem.severity == "error" for problem in loaded.problems)
    if as_json:
        say(json.dumps([_as_json(problem) for problem in loaded.problems], ensure_ascii=False, indent=2))
        return 1 if errors else 0
    for problem in loaded.problems:
        complain_about(problem)
    if errors:
        complain(
            tell(
                "{errors} {errors|error|errors}, {warnings} {warnings|warning|warnings}",
                errors=errors,
                warnings=len(loaded.problems) - errors,
            )
        )
        return 1
    if loaded.site is not None:
        say(
            tell(
                "{site}: sound. {grids} {grids|grid|grids}, {places} {places|place|places}, {devices} "
                "{devices|device|devices} of {types} {types|type|types}, {edges} {edges|edge|edges}, "
                "{rules} {rules|rule|rules}.",
                site=site,
                grids=len(loaded.site.grids),
                places=len(loaded.site.places),
                devices=len(loaded.site.devices),
                types=len(loaded.site.types),
                edges=len(loaded.site.edges),
                rules=len(loaded.rules),
            )
        )
    return 0


def complain_about(problem: Problem) -> None:
    """One problem on standard error: where, what, and what was probably meant."""
    complain(translate(problem.told(problem.file)))


def _as_json(problem: Problem) -> dict[str, object]:
    return {
        "file": str(problem.file),
        "line": problem.line,
        "column": problem.column,
        "where": problem.where,
        "value": problem.value,
        "severity": problem.severity,
        "message": translate(problem.message),
        "suggestion": translate(problem.suggestion) if problem.suggestion else None,
    }
