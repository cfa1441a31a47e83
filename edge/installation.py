"""From the site folder to an `Installation`: this edge's wiring, each driver's settings checked."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from edge.agent import Installation, Wire
from edge.bus import Bus
from edge.deliveries import DeliveryKeys
from edge.drivers import DRIVERS, driver_class
from edge.intake import Attached, Broker, Counters, DeadLetters, DriverContext, InvalidWiring
from edge.outbox import Limits
from registry.devices import EdgeWiring
from registry.listings import Draft
from registry.problems import InvalidConfiguration, Problem
from registry.validation import problems_from_pydantic
from registry.wiring import Wiring, load_wiring, read_edges


def load_installation(
    site: Path,
    edge: str,
    data: Path,
    bus: Bus,
    *,
    broker: Broker | None = None,
    serial_folder: Path = Path("/dev"),
    limits: Limits | None = None,
) -> Installation:
    """What the edge `edge` of the site in `site` is to read, its outbox in ``<data>/<edge>/outbox.db``.

    Raises `InvalidConfiguration` with every problem.
    """
    loaded = load_wiring(site, edge, drivers=DRIVERS)
    if loaded.wiring is None:
        raise InvalidConfiguration(loaded.problems)
    wires = [*_wires(site, loaded.wiring)]
    problems = [found for found in wires if isinstance(found, Problem)]
    if problems:
        raise InvalidConfiguration(problems)
    return Installation(
        edge=edge,
        wires=tuple(found for found in wires if isinstance(found, Wire)),
        devices=tuple(map(Attached.of, loaded.wiring.devices.values())),
        types=loaded.wiring.types,
        bus=bus,
        outbox=data / edge / "outbox.db",
        broker=broker or Broker(),
        serial_folder=serial_folder,
        limits=limits or Limits(),
    )


def check_connections(site: Path, wiring: Wiring) -> list[Problem]:
    """What the drivers have against the settings and devices of an edge's connections."""
    return [found for found in _wires(site, wiring) if isinstance(found, Problem)]


def check_settings(edges: Mapping[str, Draft[EdgeWiring]]) -> list[Problem]:
    """What the drivers have against the settings of connections, whatever else is wrong with the site."""
    problems: list[Problem] = []
    for draft in edges.values():
        for index, connection in enumerate(draft.item.connections):
            if connection.driver not in DRIVERS:
                continue  # the registry has said so
            model = driver_class(connection.driver).settings
            try:
                model.model_validate(connection.settings)
            except ValidationError as error:
                problems += _invalid(draft, index, error, model)
    return problems


def _wires(site: Path, wiring: Wiring) -> Iterator[Wire | Problem]:
    draft = read_edges(site, [], only=wiring.edge.id)[wiring.edge.id]
    for index, connection in enumerate(wiring.edge.connections):
        if connection.driver not in DRIVERS:
            continue  # load_wiring has said so
        driver = driver_class(connection.driver)
        try:
            settings = driver.settings.model_validate(connection.settings)
        except ValidationError as error:
            yield from _invalid(draft, index, error, driver.settings)
            continue
        wire = Wire(
            connection.id, driver, settings, tuple(map(Attached.of, wiring.devices_on(connection.id)))
        )
        try:
            driver(settings, _rehearsal(wiring, wire))
        except InvalidWiring as error:
            yield draft.problem(("connections", index), error.message, value=error.device)
            continue
        yield wire


def _invalid(
    draft: Draft[EdgeWiring], index: int, error: ValidationError, model: type[object]
) -> list[Problem]:
    """The driver's objections, each placed at its key in the file."""
    inside = ("connections", index, "settings")
    where = ".".join(filter(None, (draft.listing.where(draft.index), f"connections[{index}].settings")))
    return problems_from_pydantic(
        draft.listing.positions,
        error,
        draft.listing.file,
        where,
        base=draft.listing.path(draft.index, inside),
        model=model,
    )


def _rehearsal(wiring: Wiring, wire: Wire) -> DriverContext:
    """A context to construct a driver with, only to learn whether it can read its devices."""
    counters = Counters()
    return DriverContext(
        edge=wiring.edge.id,
        connection=wire.connection,
        devices=wire.devices,
        types=wiring.types,
        clock=lambda: 0,
        letters=DeadLetters(counters),
        deliveries=DeliveryKeys(),
        counters=counters,
        notes=_NoNotes(),
    )


class _NoNotes:
    def note(self, key: str) -> str:
        return ""

    def write_note(self, key: str, value: str) -> None:
        """Nothing is kept of a rehearsal."""
