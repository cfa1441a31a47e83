"""Catalogues and the choice of a language."""

import gettext
import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

from language.message import Message, filled

LANGUAGES: Final = ("zh-CN", "en")
"""The languages every text exists in, the default first."""

DOMAIN: Final = "gridwarden"
LOCALE_DIR: Final = Path(__file__).with_name("locale")


class Translator:
    """Puts messages into one language."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._catalogue = gettext.translation(
            DOMAIN, LOCALE_DIR, languages=[language.replace("-", "_")], fallback=True
        )

    def __call__(self, message: Message | str) -> str:
        """The sentence in this translator's language; an untranslated one stays English."""
        if isinstance(message, Message):
            values = {
                name: self(value) if isinstance(value, Message) else value
                for name, value in message.values.items()
            }
            return filled(self._catalogue.gettext(message.template), values)
        return self._catalogue.gettext(message) if message else ""


@cache
def translator(language: str) -> Translator:
    """The translator for one of `LANGUAGES`."""
    return Translator(language)


def preferred(wanted: Iterable[str] = ()) -> str:
    """The first of `LANGUAGES` that `wanted` (BCP 47 tags, best first) asks for.

    Without a wish the process environment decides (``GRIDWARDEN_LANG``, ``LC_ALL``, ``LANG``), and
    English where that says nothing of ours.
    """
    tags = [*wanted] or [os.environ.get(name, "") for name in ("GRIDWARDEN_LANG", "LC_ALL", "LANG")]
    for tag in tags:
        primary = tag.replace("_", "-").split("-")[0].split(".")[0].lower()
        for language in LANGUAGES:
            if primary and language.split("-")[0] == primary:
                return language
    return "en"
