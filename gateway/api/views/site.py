"""The community, as a client loads it once."""

from gateway.api import schemas
from gateway.api.limits import limits_of
from gateway.api.views.context import Context
from language import translator
from rules.explain import explain


class SiteViews:
    """The site and its rules."""

    def __init__(self, context: Context, version: str, revision: str, grafana: str) -> None:
        self._context = context
        self._version = version
        self.revision = revision
        self._grafana = grafana.rstrip("/")

    def show(self, language: str) -> schemas.SiteOut:
        """The community."""
        site, say = self._context.site, translator(language)
        return schemas.SiteOut(
            name=dict(site.name),
            timezone=site.timezone,
            languages=list(site.languages),
            revision=self.revision,
            version=self._version,
            grafana=self._grafana,
            grids=[
                schemas.GridOut(
                    id=grid.id,
                    name=dict(grid.name),
                    kind=grid.kind,
                    level=grid.level,
                    parent=grid.parent,
                    officer=grid.officer,
                )
                for grid in site.grids.values()
            ],
            people=[person for one in site.people.values() if (person := self._context.showing.person(one))],
            units=[
                schemas.UnitOut(id=unit.id, name=dict(unit.name), phone=unit.phone)
                for unit in site.units.values()
            ],
            categories=[
                schemas.CategoryOut(
                    id=category.id,
                    label=dict(category.label),
                    closing_standard=dict(category.closing_standard),
                )
                for category in site.categories.values()
            ],
            rules=[
                schemas.RuleOut(
                    id=rule.id,
                    version=rule.version,
                    label=self._context.showing.names.rule(rule.id),
                    severity=rule.steps[0].severity if rule.steps else rule.severity,
                    sentence=say(explain(rule, language)),
                    limits=limits_of(rule),
                )
                for rule in self._context.showing.rules.values()
            ],
            devices=len(site.devices),
        )
