"""The command line's manners: its help is our own page, its errors are sentences that say what to do.

Typer brings its own copy of Click, whose words go through no catalogue; what it found wrong is told here
from the error's parts. What only help and errors need is imported when they come: an edge box never does.
"""

import sys
from difflib import get_close_matches
from typing import Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from gridwarden.console_text import complain, tell, translate


class Command(TyperCommand):
    """One command."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the page."""
        from gridwarden.help_page import page

        formatter.write(page(ctx.command_path, self, self.get_params(ctx)))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As Typer does; words that mean nothing are refused in our words."""
        ctx.allow_extra_args = True
        with _Whose(ctx):
            left = super().parse_args(ctx, args)
        if left and not ctx.resilient_parsing:
            ctx.fail(tell("Nothing is known to do with: {words}", words=" ".join(left)))
        return left


class Commands(TyperGroup):
    """All of them; run by `main`."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the page."""
        from gridwarden.help_page import page

        known = [one for one in self.commands.values() if not one.hidden]
        formatter.write(page(ctx.command_path, self, self.get_params(ctx), known))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As Typer does."""
        with _Whose(ctx):
            return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """As Typer does; an unknown name gets the one that was probably meant."""
        name = args[0]
        if name not in self.commands and not name.startswith("-") and not ctx.resilient_parsing:
            near = get_close_matches(name, self.commands, n=1)
            if near:
                ctx.fail(tell("There is no command {name}. Did you mean {near}?", name=name, near=near[0]))
            ctx.fail(tell("There is no command {name}.", name=name))
        return super().resolve_command(ctx, args)

    def main(self, args: Any = None, **settings: Any) -> NoReturn:  # type: ignore[override]
        """Run the command line and end the process; without a word it shows what there is."""
        words = sys.argv[1:] if args is None else [*args]
        try:
            code = super().main(words or ["--help"], **{**settings, "standalone_mode": False})
        except TyperException as error:
            code = _refuse(error)
        sys.exit(code if isinstance(code, int) else 0)


class _Whose:
    """Notes in the parser's errors which command they are about; some do not say."""

    def __init__(self, ctx: Any) -> None:
        self._ctx = ctx

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: Any, trace: object) -> None:
        if isinstance(error, TyperException) and getattr(error, "ctx", None) is None:
            error.ctx = self._ctx  # type: ignore[attr-defined]  # an error of usage has it


def _refuse(error: Any) -> int:
    """Tell what is wrong with the words of the command line, and how it is written; the exit code."""
    from gridwarden.help_page import usage

    complain(_sentence(error))
    ctx = getattr(error, "ctx", None)
    if ctx is not None:
        arguments = [one for one in ctx.command.params if one.param_type_name == "argument"]
        complain(usage(ctx.command_path, arguments, commands=isinstance(ctx.command, Commands)))
        complain(tell("More: {command} --help", command=ctx.command_path))
    return int(error.exit_code)


def _sentence(error: Any) -> str:
    option = getattr(error, "option_name", "")
    if hasattr(error, "possibilities"):
        near = ", ".join(sorted(error.possibilities or ()))
        if near:
            return tell("There is no option {option}. Did you mean {near}?", option=option, near=near)
        return tell("There is no option {option}.", option=option)
    if option:
        known = [one for one in error.ctx.command.params if option in (*one.opts, *one.secondary_opts)]
        if any(one.is_flag for one in known):
            return tell("{option} takes no value.", option=option)
        return tell("{option} needs a value.", option=option)
    if isinstance(error, typer.BadParameter) and error.param is not None:
        return _about(error, error.param)
    return str(error.message)


def _about(error: typer.BadParameter, parameter: Any) -> str:
    """What is wrong with one option's or argument's value."""
    from gridwarden import help_page

    name = parameter.opts[0] if parameter.param_type_name == "option" else help_page.name(parameter)
    if hasattr(error, "param_type"):
        return tell("{name} is missing.", name=name)
    return tell("{where}: {what}", where=name, what=_reason(error))


def _reason(error: typer.BadParameter) -> str:
    from pydantic import ValidationError

    from registry.problems import shown
    from registry.validation import sentence

    if not isinstance(error.__cause__, ValidationError):
        return error.message
    detail = error.__cause__.errors(include_url=False)[0]
    return translate(sentence(detail, shown(detail["input"])))
