"""Names instead of ids in sentences about cases: what people read says "kitchen detector", not `d-17`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from cases.alarms import Alarm
from cases.case import Case
from cases.outside import NAME
from language import N_, Message, translator
from registry.devices import Device
from registry.grids import Person
from registry.site import Site
from rules.findings import Severity
from rules.model import Rule
from rules.speech import SILENCE_SUFFIX

Text = dict[str, str]
"""A name by language, ``{"zh": …, "en": …}``."""

TAGS: Final = (("zh", "zh-CN"), ("en", "en"))
CENTRE: Final = "centre"
UNIT: Final = "unit:"
_SMART_CENTRE: Final = N_("smart centre")
_PLATFORM: Final = N_("the platform itself")
_SILENT: Final = N_("not heard")
_SEVERITIES: Final = {
    Severity.CRITICAL: N_("critical"),
    Severity.HIGH: N_("high"),
    Severity.MEDIUM: N_("medium"),
    Severity.LOW: N_("low"),
}
_PEOPLE: Final = frozenset({"holder", "officer", "verifier", "person"})
_TEAMS: Final = frozenset({"team", "teams"})
_MORE: Final = " … (+"


class Names:
    """What people call the things of one site."""

    def __init__(self, site: Site, rules: Mapping[str, Rule]) -> None:
        self._site = site
        self._rules = rules

    def device(self, device: Device) -> Text:
        """Its own name, else its type and place."""
        if device.name:
            return {"zh": device.name, "en": device.name}
        label = self._site.type_of(device).label
        place = self._site.place_of(device).name
        return {
            language: f"{place.get(language, '')} {label.get(language, device.type)}".strip()
            for language, _ in TAGS
        }

    def rule(self, rule_id: str) -> Text:
        """The label of a rule that may be gone."""
        rule = self._rules.get(rule_id)
        return dict(rule.label) if rule is not None and rule.label else both(rule_id)

    def of(self, alarm: Alarm) -> Text:
        """What an alarm is called: its rule's label, or the name that its watcher gave it."""
        if not alarm.watcher:
            return self.rule(alarm.rule)
        return {language: alarm.labels.get(f"{NAME}{language}", alarm.watcher) for language, _ in TAGS}

    def where(self, alarm: Alarm) -> Text:
        """Where an alarm is: its place, its building, or with a watcher's the platform itself."""
        if alarm.watcher:
            return _translated(_PLATFORM)
        place = alarm.labels.get("place", "")
        return self.place(place) if place else both(alarm.labels.get("building", ""))

    def place(self, place_id: str) -> Text:
        """The name of a place that may have left the site."""
        place = self._site.places.get(place_id)
        return dict(place.name) if place is not None else both(place_id)

    def unit(self, unit_id: str) -> Text:
        """The name of a department or team that may have left the site."""
        unit = self._site.units.get(unit_id)
        return dict(unit.name) if unit is not None else both(unit_id)

    def person(self, person_id: str) -> str:
        """The name of a person who may have left the site."""
        person: Person | None = self._site.people.get(person_id)
        return person.name if person is not None else person_id

    def holder(self, holder: str) -> Text:
        """Who has a case: a person, ``unit:<id>`` or ``centre``; empty for nobody."""
        if holder == CENTRE:
            return _translated(_SMART_CENTRE)
        if holder.startswith(UNIT):
            return self.unit(holder.removeprefix(UNIT))
        return both(self.person(holder)) if holder else {}

    def alarm(self, alarm: str, language: str, *, short: bool = False) -> str:
        """An alarm's id (``rule:device``, with or without ``#occurrence``) as words.

        `short` leaves the rule out, where the sentence names it already. What it does not know stays.
        """
        rule, colon, rest = alarm.partition(":")
        key = rest.partition("#")[0].removesuffix(SILENCE_SUFFIX)
        if not colon or (rule not in self._rules and key not in self._site.devices):
            return alarm
        words = [] if short else [said(self.rule(rule), language)]
        words += [self._key(part, language) for part in key.split("/") if part not in ("", "-")]
        if SILENCE_SUFFIX in rest:
            words.append(translator(language)(_SILENT))
        return " · ".join(words)

    def message(self, message: Message, language: str, case: Case | None = None) -> Message:
        """`message` with names where its values are ids; those of wanted proofs are the `case`'s."""
        values = dict(message.values)
        for field, value in message.values.items():
            if not isinstance(value, str):
                continue
            if field == "alarm":
                values[field] = self.alarm(value, language, short="rule" in message.values)
            elif field == "alarms":
                values[field] = self._alarms(value, language)
            elif field == "rule":
                values[field] = said(self.rule(value), language)
            elif field in ("before", "after"):
                values[field] = translator(language)(_SEVERITIES[Severity(value)])
            elif field == "wanted" and case is not None:
                values[field] = self._wanted(value, case, language)
            elif field == "milestone":
                values[field] = said(self._milestone(value), language)
            elif field in _PEOPLE:
                values[field] = said(self.holder(value), language) or value
            elif field in _TEAMS:
                values[field] = _comma(language).join(
                    said(self.unit(team), language) for team in value.split(", ")
                )
        return Message(message.template, values)

    def note(self, note: str) -> str:
        """The line beside the system's sentence; who it speaks of by name."""
        person, dot, rest = note.partition(" · ")
        return f"{self.person(person)}{dot}{rest}"

    def _milestone(self, milestone: str) -> Text:
        marks = (mark for category in self._site.categories.values() for mark in category.milestones)
        return next((dict(mark.label) for mark in marks if mark.id == milestone), both(milestone))

    def _alarms(self, alarms: str, language: str) -> str:
        listed, more, count = alarms.partition(_MORE)
        named = (self.alarm(alarm, language) for alarm in listed.split(", "))
        return _comma(language).join(named) + more + count

    def _wanted(self, wanted: str, case: Case, language: str) -> str:
        names = {one.id: said(one.label, language) or one.id for one in case.terms.evidence}
        return _comma(language).join(names.get(one, one) for one in wanted.split(", "))

    def _key(self, part: str, language: str) -> str:
        device = self._site.devices.get(part)
        if device is not None:
            return said(self.device(device), language)
        return said(self.place(part), language) if part in self._site.places else part


def _comma(language: str) -> str:
    return "、" if language.startswith("zh") else ", "


def _translated(name: str) -> Text:
    return {language: translator(tag)(name) for language, tag in TAGS}


def both(name: str) -> Text:
    """A name that is the same in every language."""
    return {language: name for language, _ in TAGS}


def said(text: Mapping[str, str], language: str) -> str:
    """`text` in a language given as a tag (``zh-CN``) or its first part."""
    return text.get(language.split("-")[0]) or next(iter(text.values()), "")


def labels(things: Iterable[tuple[str, Mapping[str, str]]], language: str) -> Sequence[tuple[str, str]]:
    """Ids and names as pairs of words in `language`."""
    return [(key, said(text, language) or key) for key, text in things]
