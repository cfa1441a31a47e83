"""The base of everything that is read from a site folder."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict


class Model(BaseModel):
    """Frozen; an unknown key is an error (the loader adds what was probably meant)."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


def _by_language(value: object) -> object:
    return {"zh": value, "en": value} if isinstance(value, str) else value


Text = Annotated[dict[str, str], BeforeValidator(_by_language)]
"""A name by language, ``{"zh": …, "en": …}``; a plain string stands for every language."""
