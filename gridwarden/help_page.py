"""What ``--help`` shows: one page for every command, whole at any width, in the language of the environment.

Typer's own page cuts names and sentences where its columns end, and half of its words have no catalogue.
Here an option whose name is too long for the column has its words below it, and Chinese is broken where
Chinese may be: never before a closing sign.
"""

import re
from collections.abc import Iterable, Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Any, Final

from rich.cells import cell_len, chop_cells
from rich.console import Console
from rich.text import Text

from gridwarden.console_text import _, tell
from language import N_

_CLOSING: Final = "，。；：、！？）”》…"
_OPENING: Final = "（“《"
_WIDE: Final = f"[^\\x00-\\u2e7f{_CLOSING}{_OPENING}]"
_PIECE: Final = re.compile(
    rf"[{_OPENING}]*(?:[^\s\u2e80-\uffff{_CLOSING}{_OPENING}]+|{_WIDE})?[{_CLOSING}]*(\s*)", re.ASCII
)
_NARROWEST: Final = 20
_TYPERS_OWN: Final = {
    "help": N_("Show this page."),
    "install_completion": N_("Install completion for this shell."),
    "show_completion": N_("Print completion for this shell, to copy or change it."),
}
_VALUES: Final = {Path: N_("PATH"), int: N_("NUMBER"), float: N_("NUMBER"), str: N_("TEXT")}

_Row = tuple[str, tuple[str, ...]]
"""A name, what it is, and notes of which none is broken."""


def page(path: str, command: Any, parameters: Iterable[Any], commands: Iterable[Any] = ()) -> str:
    """The page of `command`, which is called as `path`; `commands` are those below it."""
    console = Console(highlight=False, soft_wrap=True)
    width = max(console.width, _NARROWEST)
    shown = [one for one in parameters if not getattr(one, "hidden", False)]
    arguments = [one for one in shown if one.param_type_name == "argument"]
    options = [one for one in shown if one.param_type_name == "option"]
    with console.capture() as captured:
        for line in wrapped(width, usage(path, arguments, commands=bool(commands))):
            console.print(Text(line, style="bold"))
        for paragraph in cleandoc(command.help or "").split("\n\n"):
            console.print()
            for line in wrapped(width, paragraph):
                console.print(Text(line))
        sections: tuple[tuple[str, list[_Row]], ...] = (
            (_("Arguments"), [(name(one), _words(one)) for one in arguments]),
            (_("Options"), [(_names(one), _words(one)) for one in options]),
            (_("Commands"), [(one.name, (first_paragraph(one),)) for one in commands]),
        )
        for title, rows in sections:
            if rows:
                console.print()
                console.print(Text(title, style="bold"))
                _table(console, rows, width)
        if command.epilog:
            console.print()
            console.print(Text(command.epilog))
    return captured.get()


def usage(path: str, arguments: Iterable[Any], *, commands: bool = False) -> str:
    """How the command is written."""
    names = [name(one) if one.required else f"[{name(one)}]" for one in arguments]
    options, rest = _("[OPTIONS]"), [_("COMMAND …")] if commands else []
    return tell("Usage: {line}", line=" ".join([path, options, *names, *rest]))


def first_paragraph(command: Any) -> str:
    """What the command is for."""
    return cleandoc(command.help or "").split("\n\n")[0]


def wrapped(width: int, text: str, *notes: str) -> list[str]:
    """`text` and the notes after it in lines of at most `width` cells; a Chinese sign takes two."""
    lines, gap = [""], ""
    pieces = [(one[0].removesuffix(one[1]), one[1]) for one in _PIECE.finditer(text)]
    for word, space in [*pieces, *(piece for note in notes for piece in (("", " "), (note, "")))]:
        if lines[-1] and cell_len(lines[-1] + gap + word) > width:
            lines.append("")
            gap = ""
        if word:
            first, *more = chop_cells(gap + word, width)
            lines[-1] += first
            lines += more
            gap = ""
        gap = " " if space else gap
    return lines


def _table(console: Console, rows: list[_Row], width: int) -> None:
    """Names and what they are, in two columns; the words of a long name stand below it."""
    longest = max(cell_len(name) for name, _ in rows)
    column = 2 + min(longest, width * 2 // 5) + 2
    for name, words in rows:
        line = Text("  ").append(name, style="cyan")
        lines = wrapped(width - column, *words)
        if cell_len(name) + 4 > column:
            console.print(line)
        else:
            line.append(" " * (column - line.cell_len)).append(lines.pop(0))
            console.print(line)
        for more in lines:
            console.print(Text(" " * column + more))


def name(argument: Any) -> str:
    """What an argument is called in the usage line."""
    called = argument.metavar or argument.name.upper()
    return f"{called} …" if argument.nargs == -1 else str(called)


def _names(option: Any) -> str:
    """``-c, --config PATH``, ``--simulators / --no-simulators``."""
    names = ", ".join(sorted(option.opts, key=len))
    if option.secondary_opts:
        return f"{names} / {', '.join(option.secondary_opts)}"
    if option.is_flag:
        return names
    return f"{names} {option.metavar or _value(option)}"


def _value(option: Any) -> str:
    annotation = option.type_descriptor.annotation
    for kind in (annotation, *getattr(annotation, "__args__", ())):
        if kind in _VALUES:
            return _(_VALUES[kind])
    return _("TEXT")


def _words(parameter: Any) -> tuple[str, ...]:
    """What it is, and notes of which none is broken."""
    own = _TYPERS_OWN.get(parameter.name)
    return (_(own) if own else parameter.help or "", *_notes(parameter))


def _notes(parameter: Any) -> Iterator[str]:
    default, low, high = parameter.default, parameter.min, parameter.max
    if getattr(parameter, "secondary_opts", None):
        yield tell("[default: {value}]", value=(parameter.opts if default else parameter.secondary_opts)[0])
    elif isinstance(default, Path | int | float | str) and not isinstance(default, bool) and str(default):
        yield tell("[default: {value}]", value=default)
    if low is not None and high is not None:
        yield tell("[{low} to {high}]", low=low, high=high)
    elif low is not None:
        yield tell("[{low} or more]", low=low)
    if parameter.envvar:
        yield tell("[or set {variable}]", variable=parameter.envvar)
    if parameter.required:
        yield _("[required]")
