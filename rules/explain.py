"""A rule as a sentence: "When smoke is detected: critical alarm; …"."""

from collections.abc import Callable
from typing import Final

from language import N_, Message, translator
from readings.sample import Scalar
from rules.conditions import All, Any_, Comparison, Condition, Not
from rules.durations import written
from rules.model import Rule, Schedule

Say = Callable[[Message | str], str]

_POINTS: Final = {
    "smoke": N_("smoke"),
    "gas": N_("gas"),
    "gas_level": N_("the gas level"),
    "carbon_monoxide": N_("carbon monoxide"),
    "temperature": N_("the temperature"),
    "humidity": N_("the humidity"),
    "open": N_("the door"),
    "event": N_("an event"),
    "score": N_("the score"),
    "tamper": N_("tampering"),
    "battery": N_("the battery"),
}
"""Points as words; others stand as they are."""

_STATES: Final = {
    ("open", True): N_("the door is open"),
    ("open", False): N_("the door is closed"),
}
"""Switches that are not something detected."""

_COMPARED: Final = {
    "==": N_("{point} is {value}"),
    "!=": N_("{point} is not {value}"),
    ">": N_("{point} is above {value}"),
    ">=": N_("{point} is {value} or more"),
    "<": N_("{point} is below {value}"),
    "<=": N_("{point} is {value} or less"),
    "in": N_("{point} is one of {value}"),
    "between": N_("{point} is between {value}"),
}

_SEVERITIES: Final = {
    "critical": N_("critical alarm"),
    "high": N_("high alarm"),
    "medium": N_("medium alarm"),
    "low": N_("low alarm"),
}


def explain(rule: Rule, language: str) -> Message:
    """What `rule` does, as one sentence in `language` (one of `language.LANGUAGES`).

    The message holds the finished sentence: a sentence of clauses cannot be translated as one template.
    """
    say = translator(language)
    clauses = [*_steps(rule, say), *_course(rule, say), *_around(rule, say)]
    return Message("{sentence}", {"sentence": say(Message(N_("; "))).join(clauses)})


def _steps(rule: Rule, say: Say) -> list[str]:
    clauses = []
    for step in rule.steps:
        values = {
            "condition": condition_words(step.when, say),
            "length": written(step.for_),
            "alarm": say(_SEVERITIES[step.severity]),
        }
        lasting, at_once = N_("when {condition} for {length}: {alarm}"), N_("when {condition}: {alarm}")
        clauses.append(say(Message(lasting if step.for_ else at_once, values)))
        if step.clear is not None:
            condition = {"condition": condition_words(step.clear, say)}
            clauses.append(say(Message(N_("over when {condition}"), condition)))
    if rule.repeat is not None:
        often = {"count": rule.repeat.count, "window": written(rule.repeat.window)}
        clauses.append(say(Message(N_("when it happens {count} {count|time|times} within {window}"), often)))
    if rule.max_gap is not None:
        gap = {"gap": written(rule.max_gap)}
        clauses.append(say(Message(N_("silence longer than {gap} does not count"), gap)))
    return clauses


def _course(rule: Rule, say: Say) -> list[str]:
    clauses = []
    if rule.confirm is not None:
        values = {
            "count": rule.confirm.count,
            "window": written(rule.confirm.window),
            "unseen": written(rule.confirm.unacknowledged),
            "seen": written(rule.confirm.acknowledged),
        }
        template = N_(
            "a pre-alarm first; the alarm when {count} detectors agree within {window}, when nobody "
            "acknowledges for {unseen}, or {seen} after the acknowledgement"
        )
        clauses.append(say(Message(template, values)))
    if rule.keep_for:
        clauses.append(say(Message(N_("it stays for {length} longer"), {"length": written(rule.keep_for)})))
    if rule.latch:
        clauses.append(say(Message(N_("it stays until somebody resets it after inspection"))))
    if rule.late is not None:
        late = {"length": written(rule.late.raise_)}
        clauses.append(say(Message(N_("readings up to {length} late may still raise it"), late)))
    return clauses


def _around(rule: Rule, say: Say) -> list[str]:
    clauses = []
    if rule.schedule is not None:
        clauses.append(_schedule(rule.schedule, say))
    if rule.no_data is not None:
        alarm = {"alarm": say(_SEVERITIES[rule.no_data.severity])}
        if rule.no_data.after is None:
            clauses.append(
                say(Message(N_("when a device is silent for longer than its type allows: {alarm}"), alarm))
            )
        else:
            values = {"length": written(rule.no_data.after), **alarm}
            clauses.append(say(Message(N_("when nothing usable is heard for {length}: {alarm}"), values)))
    if rule.inhibits:
        clauses.append(say(Message(N_("while it fires, alarms that it explains are not notified"))))
    return clauses


def _schedule(schedule: Schedule, say: Say) -> str:
    if schedule.place:
        return say(Message(N_("only while the place is closed")))
    if schedule.calendar:
        calendar = {"calendar": schedule.calendar}
        return say(Message(N_("only in the hours of the calendar {calendar}"), calendar))
    values = {"days": schedule.days, "start": schedule.from_, "end": schedule.to}
    return say(Message(N_("only {days} from {start} to {end}"), values))


def condition_words(condition: Condition, say: Say) -> str:
    """A condition in words."""
    match condition:
        case Comparison():
            return _comparison(condition, say)
        case All(all=parts):
            return say(N_(" and ")).join(_inner(part, say) for part in parts)
        case Any_(any=parts):
            return say(N_(" or ")).join(_inner(part, say) for part in parts)
        case Not(not_=part):
            return say(Message(N_("not ({condition})"), {"condition": condition_words(part, say)}))


def _inner(part: Condition, say: Say) -> str:
    words = condition_words(part, say)
    several = isinstance(part, All | Any_) and len(part.all if isinstance(part, All) else part.any) > 1
    return f"({words})" if several else words


def _comparison(comparison: Comparison, say: Say) -> str:
    point = say(_POINTS.get(comparison.point, comparison.point))
    if comparison.op in ("==", "!=") and isinstance(comparison.value, bool):
        detected = comparison.value is (comparison.op == "==")
        otherwise = N_("{point} is detected") if detected else N_("{point} is not detected")
        template = _STATES.get((comparison.point, detected), otherwise)
        return say(Message(template, {"point": point}))
    joint = N_(" and ") if comparison.op == "between" else N_(" or ")
    value = say(joint).join(_value(one) for one in comparison.values)
    return say(Message(_COMPARED[comparison.op], {"point": point, "value": value}))


def _value(value: Scalar) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
