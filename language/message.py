"""A sentence for people, before it is put into a language."""

from collections.abc import Mapping
from dataclasses import dataclass, field


def N_(template: str) -> str:  # noqa: N802 - the name gettext's extractors look for
    """Mark `template` for the catalogue; returns it unchanged."""
    return template


@dataclass(frozen=True, slots=True)
class Message:
    """An English template (``str.format`` fields) and the values for it.

    A value that is itself a message is translated along with the sentence it stands in.

    ``str(message)`` is the English sentence: for logs, exceptions and tests.
    """

    template: str
    values: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.template.format(**self.values)
