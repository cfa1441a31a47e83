"""What a scenario tells the person who watches it: a moment and a sentence, in either language."""

from typing import Any

import msgspec

from language import Message, preferred, translator
from readings import Scalar

Word = Scalar | dict[str, str]
"""A value in a sentence: as it is, or by language (``{"zh": …, "en": …}``)."""


class Progress(msgspec.Struct, frozen=True):
    """Something happened `at` seconds into the story (its own time, before any speed-up)."""

    at: float
    template: str
    values: dict[str, Word] = {}
    kind: str = "step"
    """begin, step, end or problem."""

    def sentence(self, language: str = "en") -> str:
        """The sentence in `language` (``zh-CN``, ``zh`` or ``en``)."""
        language = preferred([language])
        short = language.split("-")[0]
        values: dict[str, Any] = {
            name: word.get(short) or next(iter(word.values()), "") if isinstance(word, dict) else word
            for name, word in self.values.items()
        }
        return translator(language)(Message(self.template, values))
