"""The base of everything that is read from a site folder."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from language import N_, Message
from registry.problems import shown


class Invalid(ValueError):
    """A value that breaks a rule no type can state; `message` says which, for people."""

    def __init__(self, template: str, **values: object) -> None:
        self.message = Message(template, {name: _short(value) for name, value in values.items()})
        super().__init__(str(self.message))


def _short(value: object) -> object:
    """A text of any length as a sentence can hold it."""
    return shown(value, limit=200) if isinstance(value, str) else value


class Model(BaseModel):
    """Frozen; an unknown key is an error (the loader adds what was probably meant), and so is `.nan`."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, allow_inf_nan=False)


def _by_language(value: object) -> object:
    if isinstance(value, str):
        return {"zh": value, "en": value}
    if isinstance(value, dict) and (unknown := value.keys() - {"zh", "en"}):
        raise Invalid(
            N_("`{key}` is no language that texts are kept in (zh, en)"), key=", ".join(map(str, unknown))
        )
    return value


Text = Annotated[dict[str, str], BeforeValidator(_by_language)]
"""A name by language, ``{"zh": …, "en": …}``; a plain string stands for every language."""

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")]
"""A stable id: letters, digits, ``_`` and ``-``, at most 63, starting with a letter or digit."""
