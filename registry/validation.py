"""pydantic's errors as problems: a readable sentence, the exact spot, and what was probably meant."""

import re
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from language import N_, Message
from registry.model import Invalid
from registry.problems import Part, Positions, Problem, did_you_mean, dotted, shown

_SECRET: Final = re.compile(r"pass(word|wd|phrase)?|secret|token|api_?key", re.IGNORECASE)

MOST_MISTAKES: Final = 200
"""Mistakes told of one object; nobody mends more at once, and each costs a search for what was meant."""

_SENTENCES: Final[dict[str, str]] = {
    "missing": N_("`{key}` is missing"),
    "extra_forbidden": N_("unknown key `{key}`"),
    "string_type": N_("must be text"),
    "string_too_short": N_("must have at least {min_length} {min_length|character|characters}"),
    "string_too_long": N_("must have at most {max_length} {max_length|character|characters}"),
    "int_type": N_("must be a whole number"),
    "int_parsing": N_("must be a whole number"),
    "int_from_float": N_("must be a whole number"),
    "float_type": N_("must be a number"),
    "float_parsing": N_("must be a number"),
    "finite_number": N_("must be a finite number"),
    "bool_type": N_("must be true or false"),
    "bool_parsing": N_("must be true or false"),
    "enum": N_("`{value}` is not one of {expected}"),
    "literal_error": N_("`{value}` is not one of {expected}"),
    "union_tag_invalid": N_("`{tag}` is not one of {expected_tags}"),
    "union_tag_not_found": N_("{discriminator} is missing: it says which form this has"),
    "greater_than": N_("must be more than {gt}"),
    "greater_than_equal": N_("must be {ge} or more"),
    "less_than": N_("must be less than {lt}"),
    "less_than_equal": N_("must be {le} or less"),
    "too_short": N_("must have at least {min_length} {min_length|entry|entries}"),
    "too_long": N_("must have at most {max_length} {max_length|entry|entries}"),
    "list_type": N_("must be a list"),
    "tuple_type": N_("must be a list"),
    "set_type": N_("must be a list"),
    "dict_type": N_("must be a mapping of keys to values"),
    "mapping_type": N_("must be a mapping of keys to values"),
    "model_type": N_("must be a mapping of keys to values"),
    "model_attributes_type": N_("must be a mapping of keys to values"),
    "dataclass_type": N_("must be a mapping of keys to values"),
    "date_type": N_("must be a date like 2026-10-01"),
    "date_parsing": N_("must be a date like 2026-10-01"),
    "date_from_datetime_parsing": N_("must be a date like 2026-10-01"),
    "datetime_type": N_("must be a time like 2026-10-01T08:00:00Z"),
    "datetime_parsing": N_("must be a time like 2026-10-01T08:00:00Z"),
    "datetime_from_date_parsing": N_("must be a time like 2026-10-01T08:00:00Z"),
    "datetime_object_invalid": N_("must be a time like 2026-10-01T08:00:00Z"),
    "json_invalid": N_("is not JSON"),
    "none_required": N_("must be empty"),
    "recursion_loop": N_("may not contain itself"),
}

HIDDEN: Final = "…"
"""What is shown instead of a secret."""
_SAY_ENOUGH: Final = frozenset(("missing", "extra_forbidden", "union_tag_invalid", "union_tag_not_found"))
"""Kinds that name what is wrong without its value."""
_NOT: Final = N_("{what}, not `{value}`")
_WILL_NOT_DO: Final = N_("`{value}` will not do: {what}")
_OTHERWISE: Final = N_("is not valid: {reason}")
_NO_FORM_FITS: Final = N_("`{value}` fits none of the forms that are allowed here")

_PATTERNS: Final[dict[str, str]] = {
    r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$": N_(
        "an id holds letters, digits, `_` and `-` (at most 63) and starts with a letter or digit"
    ),
    r"^[a-z0-9][a-z0-9_-]{0,62}$": N_(
        "an id holds small letters, digits, `_` and `-` (at most 63) and starts with a letter or digit"
    ),
    r"^[a-z0-9][a-z0-9-]{0,62}$": N_(
        "an id holds small letters, digits and `-` (at most 63) and starts with a letter or digit"
    ),
    r"^[a-z][a-z0-9_]{0,62}$": N_(
        "a name holds small letters, digits and `_` (at most 63) and starts with a letter"
    ),
    r"^(?:([01]\d|2[0-3]):[0-5]\d|24:00)$": N_("must be a time of day like 08:30, 24:00 at the latest"),
}
_OTHER_PATTERN: Final = N_("does not have the form {pattern}")


def problems_from_pydantic(
    positions: Positions,
    error: ValidationError,
    file: Path,
    where: str = "",
    *,
    base: tuple[Part, ...] = (),
    model: Any = None,
) -> list[Problem]:
    """Every error in `error`, placed.

    `base` is the path in the document of the value that was validated, `where` goes before the dotted
    path in `Problem.where`. With `model` (the type that was validated) an unknown key gets the key that
    was probably meant. Of a union's branches only the one that got furthest is reported.
    """
    details = error.errors(include_url=False)
    located = [_located(detail, positions, base) for detail in details[:MOST_MISTAKES]]
    found = [_problem(spot, positions, file, where, base, model) for spot in _best_branches(located)]
    if len(details) > MOST_MISTAKES:
        line, column = positions.position(base)
        message = Message(
            N_("{count} more {count|mistake is|mistakes are} not shown"),
            {"count": len(details) - MOST_MISTAKES},
        )
        found.append(Problem(file, line, column, where, "", message))
    return found


def sentence(detail: ErrorDetails, value: str) -> Message:
    """What is wrong, for people; `value` is how the wrong value is shown."""
    context: Mapping[str, Any] = detail.get("ctx", {})
    kind = detail["type"]
    cause = context.get("error")
    if isinstance(cause, Invalid):
        return cause.message
    if kind == "string_pattern_mismatch":
        pattern = context["pattern"]
        form = Message(_PATTERNS.get(pattern, _OTHER_PATTERN), {"pattern": pattern})
        return Message(_WILL_NOT_DO, {"value": value, "what": form}) if value not in ("", HIDDEN) else form
    if kind in ("value_error", "assertion_error") or kind not in _SENTENCES:
        reason = str(cause) if cause is not None else detail["msg"].removeprefix("Value error, ")
        return Message(_OTHERWISE, {"reason": reason})
    key = detail["loc"][-1] if detail["loc"] else ""
    values = {"key": key, "value": value, **context}
    for name in ("expected", "expected_tags"):
        if name in values:
            values[name] = ", ".join(_expected(str(values[name])))
    said = Message(_SENTENCES[kind], values)
    named = "{value}" in said.template or kind in _SAY_ENOUGH
    return said if named or value in ("", HIDDEN) else Message(_NOT, {"what": said, "value": value})


@dataclass(frozen=True, slots=True)
class _Located:
    """An error, the real part of its path, and the branches of unions it was found in, outermost first."""

    detail: ErrorDetails
    path: tuple[Part, ...]
    branches: tuple[tuple[tuple[Part, ...], Part], ...]
    """Per union its whole way, and the branch's name."""
    every_form: bool = False
    """All branches failed at the same spot: no one of them says what was meant."""


def _located(detail: ErrorDetails, positions: Positions, base: tuple[Part, ...]) -> _Located:
    path: tuple[Part, ...] = ()
    branches: tuple[tuple[tuple[Part, ...], Part], ...] = ()
    steps = detail["loc"]
    for index, part in enumerate(steps):
        misses = detail["type"] == "missing" and index == len(steps) - 1
        if misses or positions.contains((*base, *path, part)):
            path = (*path, part)
        elif part != "[key]":
            branches = (*branches, (steps[:index], part))
    return _Located(detail, path, branches)


def _best_branches(located: Iterable[_Located], depth: int = 0) -> list[_Located]:
    """The errors outside unions, and per union those of the branch that got furthest."""
    chosen: list[_Located] = []
    unions: dict[tuple[Part, ...], dict[Part, list[_Located]]] = {}
    for found in located:
        if len(found.branches) <= depth:
            chosen.append(found)
        else:
            union, branch = found.branches[depth]
            unions.setdefault(union, {}).setdefault(branch, []).append(found)
    for raw in unions.values():
        branches = [_best_branches(errors, depth + 1) for errors in raw.values()]
        depths = [max(len(found.path) for found in errors) for errors in branches]
        deepest = [errors for errors, reached in zip(branches, depths, strict=True) if reached == max(depths)]
        best = min(deepest, key=len)
        if len(deepest) > 1 and all(len(errors) == 1 for errors in deepest):
            best = [replace(best[0], every_form=True)]
        chosen += best
    return chosen


def _problem(
    found: _Located, positions: Positions, file: Path, where: str, base: tuple[Part, ...], model: Any
) -> Problem:
    detail, full = found.detail, (*base, *found.path)
    of_key = detail["type"] == "extra_forbidden" or detail["loc"][-1:] == ("[key]",)
    line, column = positions.key_position(full) if of_key else positions.position(full)
    value = _value(found)
    if found.every_form:
        message, suggestion = Message(_NO_FORM_FITS, {"value": value or shown(detail["input"])}), None
    else:
        message, suggestion = sentence(detail, value), _suggestion(detail, model)
    place = ".".join(filter(None, (where, dotted(found.path))))
    return Problem(file, line, column, place, value, message, suggestion)


def _expected(text: str) -> list[str]:
    """The words in pydantic's ``'a', 'b' or 'c'``."""
    return re.findall(r"'([^']*)'", text) or [text]


def _suggestion(detail: ErrorDetails, model: Any) -> Message | None:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden" and model is not None:
        *way, key = detail["loc"]
        return did_you_mean(str(key), _keys_at(model, way))
    if kind in ("enum", "literal_error") and detail["input"] is not None:
        return did_you_mean(str(detail["input"]), _expected(str(context.get("expected", ""))))
    if kind == "union_tag_invalid":
        return did_you_mean(str(context.get("tag", "")), _expected(str(context.get("expected_tags", ""))))
    return None


def _value(found: _Located) -> str:
    if found.detail["type"] == "missing" or isinstance(found.detail["input"], dict | list | tuple):
        return ""
    if any(isinstance(part, str) and _SECRET.search(part) for part in found.path):
        return HIDDEN
    return shown(found.detail["input"])


def _keys_at(annotation: Any, way: Iterable[Part]) -> set[str]:
    """The keys that a mapping may have where `way` leads to, starting at the type `annotation`."""
    models = _models_in(annotation)
    for part in way:
        fields = [model.model_fields[part] for model in models if part in model.model_fields]
        if fields:
            models = [inner for field in fields for inner in _models_in(field.annotation)]
    return {field.alias or name for model in models for name, field in model.model_fields.items()}


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """The pydantic models inside a type: behind Optional, unions, lists, dicts, Annotated."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in typing.get_args(annotation) for model in _models_in(inner)]
