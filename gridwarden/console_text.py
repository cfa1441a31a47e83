"""What the command line shows: translated by the environment's language, errors in one form."""

import sys
from typing import Final, NoReturn

from language import Message, preferred, translator

LANGUAGE: Final = preferred()
"""The language of everything the command line says."""

_translate = translator(LANGUAGE)


def _(template: str) -> str:
    """`template` in the language of the environment (for texts fixed at start, such as ``--help``)."""
    return _translate(template)


def tell(template: str, **values: object) -> str:
    """The sentence `template` with `values`, in the language of the environment."""
    return _translate(Message(template, values))


def translate(message: Message) -> str:
    """`message` in the language of the environment."""
    return _translate(message)


def say(text: str) -> None:
    """One line on standard output, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def complain(text: str) -> None:
    """One line on standard error."""
    sys.stderr.write(tell("gridwarden: {what}", what=text) + "\n")
    sys.stderr.flush()


def stop(text: str, code: int = 2) -> NoReturn:
    """End the command with an error that says what to do."""
    complain(text)
    raise SystemExit(code)
