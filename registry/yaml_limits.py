"""What a YAML text may cost, asked before it is composed.

PyYAML's C composer calls itself for every level, so some ten thousand brackets end the process, and an
alias stands for a copy of all it names, so a dozen lines can mean a billion values. The parser's events
tell both without composing anything: they come one by one, and none is kept.
"""

from typing import Any, Final, Protocol

import yaml

from language import N_, Message

DEEPEST: Final = 100
"""Levels of lists and mappings inside each other; a site's files have under ten."""
MOST_COPIES: Final = 100_000
"""Values that all aliases of a file together may repeat."""


class _Parser(Protocol):
    def get_event(self) -> Any:
        """The next event; None after the last."""


class TooCostly(Exception):
    """The text would take all memory or the whole stack. Refuse it, at `line` and `column` (from 1)."""

    def __init__(self, message: Message, event: yaml.Event) -> None:
        super().__init__(str(message))
        self.message = message
        mark = event.start_mark
        self.line, self.column = (mark.line + 1, mark.column + 1) if mark else (1, 1)


def check_limits(parser: _Parser) -> None:
    """Read all events; raises `TooCostly`, and yaml.YAMLError where the text is no YAML."""
    sizes: dict[str, int] = {}
    """Values under each anchor, those that its own aliases stand for included."""
    open_anchors: list[str | None] = []
    begun: list[int] = []
    values = copies = 0
    while (event := parser.get_event()) is not None:
        if isinstance(event, yaml.AliasEvent):
            size = sizes.get(str(event.anchor), 0)
            values, copies = values + size, copies + size
            if copies > MOST_COPIES:
                raise TooCostly(Message(N_("the aliases of this file repeat too much")), event)
        elif isinstance(event, yaml.CollectionStartEvent):
            if len(begun) >= DEEPEST:
                raise TooCostly(Message(N_("the file is nested too deeply")), event)
            open_anchors.append(event.anchor)
            begun.append(values)
            values += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_anchors.pop(), begun.pop()
            if anchor is not None:
                sizes[anchor] = values - before
        elif isinstance(event, yaml.ScalarEvent):
            values += 1
            if event.anchor is not None:
                sizes[event.anchor] = 1
