"""Reading a site folder: everything in it, or everything that is wrong with it.

Order: the head (``site.yaml``), each list from wherever it stands, validated by itself; then the lists
against each other. Nothing stops at the first problem.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from language import N_, Message
from readings.vocabulary import EDGE_CONNECTION
from registry.categories import Category
from registry.checks import check_calendars, check_categories, check_grids, check_people, check_places
from registry.devices import Device, EdgeWiring
from registry.grids import Calendar, Grid, Person, Place, Unit
from registry.head import read_site_file
from registry.listings import Draft, Drafts, Listing, collected, listing_in, read_listing, unread
from registry.model import Model
from registry.problems import InvalidConfiguration, Problem, did_you_mean, in_reading_order, shown
from registry.reading_files import Document, is_file
from registry.site import Site
from registry.types_folder import read_types
from registry.wiring import edge_device, read_device_listings, read_edges
from registry.wiring_checks import check_devices, check_edges

M = TypeVar("M", bound=Model)

_SUFFIXES: Final = (".csv", ".yaml")


@dataclass(frozen=True, slots=True)
class LoadedSite:
    """A site, or None when one of the problems is an error; warnings come along either way."""

    site: Site | None
    problems: tuple[Problem, ...]
    edges: Mapping[str, Draft[EdgeWiring]] = field(default_factory=dict)
    """The valid edges with their positions: for whoever knows the drivers and checks their settings."""

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that keep the site from being used."""
        return tuple(problem for problem in self.problems if problem.severity == "error")

    def unwrap(self) -> Site:
        """The site; raises `InvalidConfiguration` with the errors when there is none."""
        if self.site is None:
            raise InvalidConfiguration(self.errors)
        return self.site


def load_site(folder: Path, *, drivers: Collection[str] = ()) -> LoadedSite:
    """Read the site in `folder`; raises nothing for whatever is written there.

    With `drivers` (the names that edge agents know) a connection with another driver is a problem.
    """
    problems: list[Problem] = []
    head, document = read_site_file(folder, problems)
    lists = _Lists(folder, document, problems)
    grids = lists.read("grids", Grid)
    places = lists.read("places", Place)
    people = lists.read("people", Person)
    units = lists.read("units", Unit)
    calendars = lists.read("calendars", Calendar)
    categories = lists.read("categories", Category)
    types = read_types(folder / "types", problems)
    edges = read_edges(folder, problems)
    devices = collected(Device, read_device_listings(folder, problems), problems)

    problems += check_grids(grids, people)
    problems += check_places(places, grids, calendars)
    problems += check_people(people, units)
    problems += check_calendars(calendars)
    problems += check_categories(categories, calendars, units)
    problems += check_edges(edges, places, drivers)
    problems += check_devices(devices, types, edges, places)
    boxes = _edge_devices(edges, devices, problems)

    site = None
    if head is not None and not any(problem.severity == "error" for problem in problems):
        site = Site(
            name=head.name,
            timezone=head.timezone,
            languages=head.languages,
            position=head.position,
            grids=_items(grids),
            places=_items(places),
            people=_items(people),
            units=_items(units),
            calendars=_items(calendars),
            categories=_items(categories),
            types={name: kind for name, kind in types.items() if kind is not None},
            devices=_items(devices) | boxes,
            edges=_items(edges),
        )
    return LoadedSite(site, tuple(in_reading_order(problems)), edges)


class _Lists:
    """Finds each list of a site: in ``site.yaml``, in a file named there, or in the file of its name."""

    def __init__(self, folder: Path, document: Document | None, problems: list[Problem]) -> None:
        self._folder = folder
        self._document = document
        self._problems = problems
        data = document.data if document is not None else None
        self._data: dict[str, Any] = data if isinstance(data, dict) else {}

    def read(self, key: str, model: type[M]) -> Drafts[M]:
        """The valid entries of one list, by id."""
        return collected(model, self._listings(key, model), self._problems)

    def _listings(self, key: str, model: type[Model]) -> list[Listing]:
        value = self._data.get(key)
        if isinstance(value, str) and self._document is not None:
            file = self._folder / value
            if Path(value).name != value or file.suffix.lower() not in _SUFFIXES or not is_file(file):
                self._problems.append(self._no_file(self._document, key, value))
                return [unread(file)]
        elif value is not None and self._document is not None:
            return [listing_in(self._document, (key,), value, self._problems)]
        else:
            file = next(
                (found for suffix in _SUFFIXES if (found := self._folder / f"{key}{suffix}").is_file()),
                self._folder / key,
            )
            if not file.is_file():
                return []
        return [read_listing(file, model, key, self._problems)]

    def _no_file(self, document: Document, key: str, value: str) -> Problem:
        line, column = document.position((key,))
        beside = [file.name for file in self._folder.iterdir() if file.suffix.lower() in _SUFFIXES]
        message = Message(N_("there is no table or YAML file `{name}` beside"), {"name": value})
        return Problem(document.file, line, column, key, shown(value), message, did_you_mean(value, beside))


def _items(drafts: Drafts[M]) -> dict[str, M]:
    return {name: draft.item for name, draft in drafts.items()}


def _edge_devices(
    edges: Drafts[EdgeWiring], devices: Drafts[Device], problems: list[Problem]
) -> dict[str, Device]:
    """The device that each edge itself is, where the site has not put one in by hand."""
    by_hand = {draft.item.edge for draft in devices.values() if draft.item.connection == EDGE_CONNECTION}
    found = {}
    for draft in edges.values():
        edge = draft.item
        if edge.id in devices:
            message = Message(N_("`{value}` is also the id of a device"), {"value": edge.id})
            problems.append(draft.problem(("id",), message, value=edge.id))
        elif edge.id not in by_hand:
            found[edge.id] = edge_device(edge)
    return found
