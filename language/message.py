"""A sentence for people, before it is put into a language."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_BY_NUMBER: Final = re.compile(r"\{(\w+)\|([^{}|]*)\|([^{}|]*)\}")


def N_(template: str) -> str:  # noqa: N802 - the name gettext's extractors look for
    """Mark `template` for the catalogue; returns it unchanged."""
    return template


def filled(template: str, values: Mapping[str, object]) -> str:
    """`template` with its fields; ``{n|device|devices}`` picks a word by the number `n`: one, or many."""
    if "|" in template:
        template = _BY_NUMBER.sub(lambda found: found[2 if str(values[found[1]]) == "1" else 3], template)
    return template.format(**values)


@dataclass(frozen=True, slots=True)
class Message:
    """An English template (see `filled`) and the values for it.

    A value that is itself a message is translated along with the sentence it stands in.

    ``str(message)`` is the English sentence: for logs, exceptions and tests.
    """

    template: str
    values: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return filled(self.template, self.values)
