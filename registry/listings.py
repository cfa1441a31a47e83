"""Objects of one model out of a document or a table, each still knowing where it was written.

Validation is one bulk call per file (20,000 devices take a fraction of a second); only entries it
refuses are looked at one by one.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final, Generic, Literal, TypeVar

from pydantic import TypeAdapter, ValidationError

from language import N_, Message
from registry.model import Model
from registry.problems import InvalidConfiguration, Part, Positions, Problem, did_you_mean, dotted, shown
from registry.reading_files import Document, read_yaml
from registry.tables import Table, read_table
from registry.validation import problems_from_pydantic

M = TypeVar("M", bound=Model)

_MOST_PROBLEMS: Final = 1_000
"""Mistakes told of one list: a file of another kind under our name has one in every line."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Raw entries that stand one after another in a file."""

    file: Path
    positions: Positions
    base: tuple[Part, ...]
    """Way in the file to the list of entries; their own step is the index."""
    entries: list[Any]
    single: bool = False
    """The file is one entry instead of a list of them."""
    unread: bool = False
    """The file could not be read (a problem says so): nobody knows what it would have held."""
    numbers: tuple[int, ...] | None = None
    """The entries' places in the file's list, where some have been left out."""

    def chosen(self, wanted: Callable[[Any], bool]) -> "Listing":
        """The listing with only the entries that are `wanted`; positions stay right."""
        numbers = tuple(number for number, entry in enumerate(self.entries) if wanted(entry))
        return replace(self, entries=[self.entries[number] for number in numbers], numbers=numbers)

    def lines(self) -> list[int]:
        """The line on which each entry begins."""
        return [self.positions.position(self.path(index))[0] for index in range(len(self.entries))]

    def path(self, index: int, inside: tuple[Part, ...] = ()) -> tuple[Part, ...]:
        """Way in the file to something inside an entry."""
        if self.single:
            return (*self.base, *inside)
        return (*self.base, index if self.numbers is None else self.numbers[index], *inside)

    def where(self, index: int) -> str:
        """The entry as `Problem.where` begins with; nothing in a table, whose line says it."""
        return dotted(self.path(index)) if isinstance(self.positions, Document) else ""


@dataclass(frozen=True, slots=True)
class Draft(Generic[M]):
    """A valid object that has not been checked against the others, and where it was written."""

    item: M
    listing: Listing
    index: int

    def problem(
        self,
        inside: tuple[Part, ...],
        message: Message,
        suggestion: Message | None = None,
        *,
        value: object = None,
        severity: Literal["error", "warning"] = "error",
        at_key: bool = False,
    ) -> Problem:
        """A problem with what stands at `inside` of this object."""
        path = self.listing.path(self.index, inside)
        positions = self.listing.positions
        line, column = positions.key_position(path) if at_key else positions.position(path)
        where = ".".join(filter(None, (self.listing.where(self.index), dotted(inside))))
        return Problem(
            self.listing.file, line, column, where, shown(value), message, suggestion, severity=severity
        )

    def unknown(self, inside: tuple[Part, ...], template: str, name: str, known: Iterable[str]) -> Problem:
        """A reference to something that does not exist; `template` has a field ``{name}``."""
        return self.problem(inside, Message(template, {"name": name}), did_you_mean(name, known), value=name)


@cache
def _list_of(model: type[Model]) -> TypeAdapter[list[Model]]:
    return TypeAdapter(list[model])  # type: ignore[valid-type]  # a type made of a value, for pydantic


def validated(model: type[M], listing: Listing, problems: list[Problem]) -> list[Draft[M]]:
    """The entries of `listing` that are valid; what is wrong with the others goes to `problems`."""
    items: list[Any]
    try:
        items = [*_list_of(model).validate_python(listing.entries)]
    except ValidationError:
        items = [*_one_by_one(model, listing, problems)]
    return [Draft(item, listing, index) for index, item in enumerate(items) if item is not None]


def _one_by_one(model: type[M], listing: Listing, problems: list[Problem]) -> Iterator[M | None]:
    before = len(problems)
    for index in range(len(listing.entries)):
        if len(problems) - before > _MOST_PROBLEMS:
            line, column = listing.positions.position(listing.path(index))
            message = Message(N_("so much is wrong here that the rest of the file was not looked at"))
            problems.append(Problem(listing.file, line, column, listing.where(index), "", message))
            return
        yield _validated_one(model, listing, index, problems)


def _validated_one(model: type[M], listing: Listing, index: int, problems: list[Problem]) -> M | None:
    try:
        return model.model_validate(listing.entries[index])
    except ValidationError as error:
        found = problems_from_pydantic(
            listing.positions,
            error,
            listing.file,
            listing.where(index),
            base=listing.path(index),
            model=model,
        )
        absent = listing.positions.missing if isinstance(listing.positions, Table) else frozenset()
        problems += [problem for problem in found if problem.where not in absent]
        return None


class Drafts(dict[str, Draft[M]]):
    """The valid drafts of one list by id, and every id the list names, valid or not."""

    def __init__(self) -> None:
        super().__init__()
        self.named: set[str] = set()
        self.incomplete = False
        """One of the list's files could not be read."""

    def lacks(self, name: str) -> bool:
        """Whether nobody wrote such an entry: one with a mistake of its own is not missing as well.

        Where a file could not be read, only what looks like a slip of the pen is said to be missing.
        """
        if name in self.named:
            return False
        return not self.incomplete or did_you_mean(name, self.named) is not None


def collected(model: type[M], listings: Iterable[Listing], problems: list[Problem]) -> Drafts[M]:
    """The valid entries of all `listings` by id; the second of the same id becomes a problem."""
    found: Drafts[M] = Drafts()
    for listing in listings:
        if listing.unread:
            found.incomplete = True
            found.named.add(listing.file.stem)  # by custom the id of what the file describes
        found.named.update(
            str(entry["id"]).strip() for entry in listing.entries if isinstance(entry, dict) and "id" in entry
        )
        for draft in validated(model, listing, problems):
            name: str = draft.item.id  # type: ignore[attr-defined]  # every model that is listed has an id
            first = found.setdefault(name, draft)
            if first is not draft:
                problems.append(twice(draft, first, ("id",), name))
    return found


def twice(draft: Draft[Any], first: Draft[Any], inside: tuple[Part, ...], value: str) -> Problem:
    """`draft` repeats what `first` has."""
    listing = first.listing
    line, _ = listing.positions.position(listing.path(first.index, inside))
    message = Message(
        N_("`{value}` is taken already (line {line} of {file})"),
        {"value": value, "line": line, "file": listing.file.name},
    )
    return draft.problem(inside, message, value=value)


def repeated(
    draft: Draft[Any], within: str | tuple[Part, ...], key: str, names: Sequence[str]
) -> list[Problem]:
    """The later ones of equal `names`, which stand under `key` in the entries of the list `within`."""
    way = (within,) if isinstance(within, str) else within
    return [
        draft.problem((*way, index, key), Message(N_("`{name}` is there twice"), {"name": name}), value=name)
        for index, name in enumerate(names)
        if name in names[:index]
    ]


def listing_in(document: Document, base: tuple[Part, ...], value: Any, problems: list[Problem]) -> Listing:
    """The list `value` that stands at `base` of a document; None is an empty one."""
    if value is None or isinstance(value, list):
        return Listing(document.file, document, base, value or [])
    line, column = document.position(base)
    message = Message(N_("must be a list"))
    problems.append(Problem(document.file, line, column, dotted(base), shown(value), message))
    return unread(document.file)


def read_listing(file: Path, model: type[Model], key: str, problems: list[Problem]) -> Listing:
    """The entries of a file of its own: a CSV table, or YAML with a list (also under the key `key`)."""
    try:
        if file.suffix.lower() == ".csv":
            table = read_table(file, model.model_fields, _required(model))
            problems += table.problems
            return Listing(file, table, (), table.rows)
        document = read_yaml(file)
    except InvalidConfiguration as error:
        problems += error.problems
        return unread(file)
    problems += document.problems
    if isinstance(document.data, dict) and key in document.data:
        return listing_in(document, (key,), document.data[key], problems)
    return listing_in(document, (), document.data, problems)


def read_folder(folder: Path, problems: list[Problem]) -> Iterator[Listing]:
    """Every YAML file of a folder, in order of name: each holds one entry or a list of them."""
    for file in sorted(folder.glob("*.y*ml")) if folder.is_dir() else []:
        try:
            document = read_yaml(file)
        except InvalidConfiguration as error:
            problems += error.problems
            yield unread(file)
            continue
        problems += document.problems
        if isinstance(document.data, list):
            yield Listing(file, document, (), document.data)
        else:
            yield Listing(file, document, (), [document.data], single=True)


def unread(file: Path) -> Listing:
    """What stands for a file that could not be read."""
    return Listing(file, Document(file, None), (), [], unread=True)


def _required(model: type[Model]) -> set[str]:
    return {name for name, field in model.model_fields.items() if field.is_required()}
