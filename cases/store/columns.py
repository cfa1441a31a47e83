"""Column types that keep the same values, in the same order, in SQLite and in PostgreSQL.

What SQLite does with them is the measure: text sorts by its bytes, whole numbers have 64 bits, and a text may
hold any character.
"""

import re
from typing import Any, Final

from sqlalchemy import BigInteger, Dialect, Integer, SmallInteger, Text, TypeDecorator

_MARK: Final = "\ue000"
_UNFIT: Final = re.compile("[\0\ue000]")
_WRITTEN: Final = re.compile("\ue000([01])")


class PostgresText(TypeDecorator[str]):
    """Text in PostgreSQL: sorted by its bytes whatever the database's collation, and with room for NUL.

    PostgreSQL takes no NUL in a text. It is written as U+E000 and ``0``, and U+E000, which is for private
    use, as itself and ``1``: whatever somebody types comes back as it was, and equal texts stay equal.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """As it is written."""
        if isinstance(value, str) and _UNFIT.search(value):
            return _UNFIT.sub(lambda found: _MARK + ("0" if found[0] == "\0" else "1"), value)
        return value

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """As it was."""
        if value is not None and _MARK in value:
            return _WRITTEN.sub(lambda found: "\0" if found[1] == "0" else _MARK, value)
        return value


TEXT: Final = Text().with_variant(PostgresText(collation="C"), "postgresql")
INTEGER: Final = Integer().with_variant(BigInteger(), "postgresql")
SMALL: Final = SmallInteger().with_variant(BigInteger(), "postgresql")
"""Of SQLite's making; a number from outside that is compared with it may be of any size."""

AUTO: Final = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only in a column called INTEGER."""
