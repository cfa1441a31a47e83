"""What a new case knows from its first moment: number, names, place, officers, terms."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cases.case import Case, Terms, Text, Wanted
from cases.sla import SECOND, WALL_CLOCK, Counted, Hours
from language import N_
from registry.categories import Category
from registry.site import Site
from registry.spans import Length
from rules.findings import Finding
from rules.model import CaseTemplate, Rule

TITLE = N_("{what}: {place}")
TITLE_WITHOUT_PLACE = N_("{what}")
FALLBACK_TERMS = Terms(urgent=False, accept_within=Length(0, 3600.0), handle_within=Length(1))
"""For a category that the site folder no longer has: an alarm never fails to become a case for it."""


def terms_of(category: Category) -> Terms:
    """What `category` demands now, to be kept with a case."""
    return Terms(
        urgent=category.urgent,
        accept_within=category.accept_within,
        handle_within=category.handle_within,
        calendar=category.calendar,
        milestones=tuple((mark.id, mark.within) for mark in category.milestones),
        closing_standard=dict(category.closing_standard),
        unit=category.unit,
        evidence=tuple(
            Wanted(wanted.id, wanted.kind, wanted.required, dict(wanted.label))
            for wanted in category.evidence
        ),
    )


def hours_of(site: Site, terms: Terms) -> Hours:
    """The hours that the limits of a case count."""
    calendar = site.hours.get(terms.calendar) if terms.calendar else None
    return WALL_CLOCK if calendar is None else Counted(calendar)


def case_number(prefix: str, zone: ZoneInfo, now: int) -> tuple[str, str]:
    """The day's part of a case number, ``BH-20261123-``, and the name of the day's counter."""
    day = datetime.fromtimestamp(now // SECOND, UTC).astimezone(zone).strftime("%Y%m%d")
    return f"{prefix}-{day}-", f"case-{day}"


def merge_key(template: CaseTemplate, finding: Finding) -> str:
    """What makes two findings the same case: category and the template's labels.

    A label that the finding lacks is replaced by what tells places apart (place, device, alarm), so that
    two sites without a building are never taken for the same building.
    """
    labels = finding.labels
    fallback = labels.get("place") or labels.get("device") or finding.alarm
    parts = [f"{name}={labels.get(name) or f'~{fallback}'}" for name in template.merge_by]
    return "|".join((template.category, *parts))


def opened(
    site: Site, rule: Rule | None, template: CaseTemplate, finding: Finding, number: str, now: int
) -> Case:
    """The case of `finding` before its first action: everything that is known of its place is in it."""
    labels = finding.labels
    category = site.categories.get(template.category)
    terms = terms_of(category) if category is not None else FALLBACK_TERMS
    label: Text = dict(category.label) if category is not None else _both(template.category)
    what: Text = dict(rule.label) if rule is not None and rule.label else label
    place = site.places.get(labels.get("place", ""))
    place_name: Text = dict(place.name) if place is not None else _both(labels.get("place", ""))
    device = site.devices.get(labels.get("device", ""))
    grids = _grids(site, labels)
    named = any(place_name.values())
    return Case(
        id=number,
        category=template.category,
        category_label=label,
        terms=terms,
        opened=now,
        changed=now,
        priority=template.priority,
        title=TITLE if named else TITLE_WITHOUT_PLACE,
        title_values={"what": what, "place": place_name} if named else {"what": what},
        merge_key=merge_key(template, finding),
        rule=finding.rule,
        rule_version=finding.version,
        device=labels.get("device", ""),
        device_name=device.name if device is not None else "",
        place=labels.get("place", ""),
        place_name=place_name,
        building=labels.get("building", ""),
        floor=place.floor if place is not None else "",
        grids=grids,
        officers=_officers(site, grids),
        first_finding=finding.time,
        last_finding=finding.time,
    )


def reported(
    site: Site,
    category: Category,
    place_id: str,
    number: str,
    now: int,
    *,
    title: str = "",
    priority: str = "P3",
    resident: str = "",
) -> Case:
    """The case that a person reports, before its first action."""
    place = site.places[place_id]
    grids = tuple(grid.id for grid in site.grid_path(place_id))
    return Case(
        id=number,
        category=category.id,
        category_label=dict(category.label),
        terms=terms_of(category),
        opened=now,
        changed=now,
        priority=priority,
        title=TITLE,
        title_values={"what": title or dict(category.label), "place": dict(place.name)},
        place=place_id,
        place_name=dict(place.name),
        building=place.building,
        floor=place.floor,
        grids=grids,
        officers=_officers(site, grids),
        resident=resident,
    )


def _both(text: str) -> Text:
    return {"zh": text, "en": text}


def _grids(site: Site, labels: Mapping[str, str]) -> tuple[str, ...]:
    place = labels.get("place", "")
    if place in site.places:
        return tuple(grid.id for grid in site.grid_path(place))
    return tuple(labels.get(f"grid{level}", "") for level in (1, 2, 3))


def _officers(site: Site, grids: Iterable[str]) -> tuple[str, ...]:
    """The officer of each level's grid; empty where there is none."""
    return tuple((site.grids[grid].officer or "") if grid in site.grids else "" for grid in grids)
