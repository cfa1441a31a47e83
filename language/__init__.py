"""Text that people see: messages as templates with parameters, and their translation.

A pure room says *what* is wrong as a `Message` (an English template marked with `N_`, and its
parameters); only where text is shown does a `Translator` turn it into Chinese or English through the
gettext catalogues in ``language/locale``. Codes, ids and log events are not translated.
"""

from language.message import N_, Message
from language.translator import LANGUAGES, Translator, preferred, translator

__all__ = ["LANGUAGES", "N_", "Message", "Translator", "preferred", "translator"]
