"""Entry points: simulators of a site as one process, and scenarios played on top of them.

`run_simulation` either plays a scenario on simulators that already run (they listen on `control`), or
is the simulators itself. `simulate` is the same as a program: signals, progress on the screen, an exit
code.
"""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from rich.console import Console

from language import N_, Message, preferred, translator
from links.secret_files import read_secret
from registry.devices import Device
from registry.loading import load_site
from registry.problems import InvalidConfiguration
from registry.site import Site
from simulators import control
from simulators.casting import Ensemble, NotPlayable, cast
from simulators.clock import Clock
from simulators.progress import Progress
from simulators.publisher import Broker
from simulators.record import Record
from simulators.scenario import Scenario, load_scenario
from simulators.simulation import Simulation
from simulators.wires import DRIVERS, Wire, Workshop
from supervision.ending import end

CONNECT_LIMIT: Final = 20.0
"""Seconds to wait for wires before a scenario begins without them."""

Tell = Callable[[Progress], None]


class AlreadyRunning(Exception):
    """Simulators already listen there; two would speak with one device's voice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to simulate; everything has a default but the folder of serial lines."""

    serial_dir: Path
    """Where serial lines appear: ``<serial_dir>/<port>``."""
    edge: str | None = None
    """Only this edge's wires."""
    speed: float = 1.0
    """The story runs so many times as fast."""
    broker: str | None = None
    """``host:port`` or ``mqtt://host:port`` instead of the brokers that connections name."""
    username: str | None = None
    password_file: Path | None = None
    record: Path | None = None
    """File (``….jsonl.gz``) or folder for the record of what was sent."""
    seed: int = 0
    control: Path | None = None
    """The Unix socket of running simulators; where to listen when these are the ones."""
    stay: bool = False
    """Be the simulators, and stay after the scenario; else play and end."""
    line_timing: bool = False
    """Serial bytes take the time they take on a real line."""
    scenarios: Path | None = None
    """A folder with further scenarios; default: ``scenarios`` in the site's folder, if there is one."""


async def run_simulation(
    site_folder: Path, scenario: str | Path = "quiet-day", *, options: Options, tell: Tell = lambda _: None
) -> None:
    """Play `scenario` on the devices of the site; with `options.stay`, be its devices until cancelled.

    Without `stay`, simulators that listen on `options.control` play it; where there are none, the wires
    that the scenario needs exist for as long as it lasts.

    Raises `InvalidConfiguration` (site or scenario), `NotPlayable` (no such devices), `AlreadyRunning`
    (with `stay`), ValueError (broker address, device on a wrong wire) and OSError (password file).
    """
    folder = options.scenarios or site_folder / "scenarios"
    story = load_scenario(scenario, folder)
    if options.control is not None:
        request = control.Play(
            str(scenario), options.speed, str(await asyncio.to_thread(folder.resolve)), options.seed
        )
        if options.stay:
            await _refuse_a_second(options.control)
        else:
            with contextlib.suppress(control.NobodyThere):
                async for progress in control.ask(options.control, request):
                    tell(progress)
                return
    site = (await asyncio.to_thread(load_site, site_folder)).unwrap()
    try:
        await _be_the_wires(site, story, folder, options, tell)
    except BaseExceptionGroup as group:
        raise _first_cause(group) from group


def _first_cause(error: BaseException) -> BaseException:
    """The error inside a task group's wrapping; of several, the first."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _be_the_wires(site: Site, story: Scenario, folder: Path, options: Options, tell: Tell) -> None:
    def load(name: str) -> Scenario:
        return load_scenario(name, folder)

    clock = Clock(options.speed)
    ensemble = Ensemble(_simulated(site, options.edge), site.types, site.places)
    record = Record(options.record) if options.record else None
    try:
        wires = _wires(site, ensemble, clock, record, options, _needed(story, ensemble, options))
        simulation = Simulation(wires, ensemble, clock=clock)
        async with asyncio.TaskGroup() as tasks:
            living = tasks.create_task(simulation.run(), name="wires")
            serving = None
            if options.control is not None:
                player = _player(simulation, options)
                serving = tasks.create_task(control.serve(options.control, player), name="control")
            counts = {"devices": sum(len(wire.devices) for wire in wires), "wires": len(wires)}
            tell(Progress(0.0, N_("{devices} devices on {wires} wires"), {**counts}, "begin"))
            for name in await simulation.ready(CONNECT_LIMIT):
                tell(Progress(0.0, N_("{wire} is not connected yet"), {"wire": name}, "problem"))

            async def pass_on(progress: Progress) -> None:
                tell(progress)

            await simulation.play(
                story, load, clock=Clock(options.speed), tell=pass_on, seed=options.seed, give_back=False
            )
            if not options.stay:
                living.cancel()
                if serving is not None:
                    serving.cancel()
    finally:
        if record is not None:
            record.close()


def _player(simulation: Simulation, options: Options) -> control.Player:
    async def play(request: control.Play, tell: control.Tell) -> None:
        folder = Path(request.folder) if request.folder else options.scenarios

        def load(name: str) -> Scenario:
            return load_scenario(name, folder)

        try:
            story = load(request.scenario)
            await simulation.play(story, load, clock=Clock(request.speed), tell=tell, seed=request.seed)
        except NotPlayable as error:
            values = {name: str(value) for name, value in error.message.values.items()}
            await tell(Progress(0.0, error.message.template, {**values}, "problem"))
        except (InvalidConfiguration, ValueError) as error:
            await tell(Progress(0.0, N_("not possible: {reason}"), {"reason": str(error)}, "problem"))

    return play


async def _refuse_a_second(path: Path) -> None:
    """Raises `AlreadyRunning` when somebody listens on `path`."""
    try:
        _, writer = await control.connect(path)
    except control.NobodyThere:
        return
    writer.close()
    raise AlreadyRunning(str(path))


def _simulated(site: Site, edge: str | None) -> dict[str, Device]:
    """The devices that can be simulated: of one edge or all."""
    wires = {
        (wiring.id, connection.id)
        for wiring in site.edges.values()
        for connection in wiring.connections
        if connection.driver in DRIVERS and edge in (None, wiring.id)
    }
    return {
        name: device for name, device in site.devices.items() if (device.edge, device.connection) in wires
    }


def _needed(story: Scenario, ensemble: Ensemble, options: Options) -> set[tuple[str, str]] | None:
    """The (edge, connection) pairs that `story` touches, None when that may be all; `NotPlayable`."""
    touched = [device for devices in cast(story, ensemble).values() for device in devices]
    if options.stay or not story.steps or any(step.play for step in story.steps):
        return None
    touched += [ensemble.devices[s.device] for s in story.steps if s.device in ensemble.devices]
    return {(device.edge, device.connection) for device in touched}


def _wires(
    site: Site,
    ensemble: Ensemble,
    clock: Clock,
    record: Record | None,
    options: Options,
    needed: set[tuple[str, str]] | None,
) -> list[Wire]:
    workshop = Workshop(
        site.types,
        site.places,
        clock=clock,
        serial_dir=options.serial_dir,
        broker=_broker(options),
        record=record,
        seed=options.seed,
        utc_offset=_utc_offset(site.timezone),
        line_timing=options.line_timing,
    )
    hanging: dict[tuple[str, str], list[Device]] = {}
    for device in ensemble.devices.values():
        hanging.setdefault((device.edge, device.connection), []).append(device)
    made = (
        workshop.wire(edge.id, connection, hanging[edge.id, connection.id])
        for edge in site.edges.values()
        for connection in edge.connections
        if (edge.id, connection.id) in hanging and (needed is None or (edge.id, connection.id) in needed)
    )
    return [wire for wire in made if wire is not None]


def _broker(options: Options) -> Broker | None:
    if options.broker is None:
        return None
    return Broker.parse(options.broker, options.username, read_secret(options.password_file) or None)


def _utc_offset(zone: str) -> float:
    offset = datetime.now(ZoneInfo(zone)).utcoffset()
    return offset.total_seconds() if offset else 0.0


def simulate(
    site_folder: Path,
    scenario: str | Path,
    options: Options,
    *,
    language: str = "en",
    console: Console | None = None,
) -> int:
    """`run_simulation` as a program: 0 when it went well or was ended by a signal, 2 for what to mend."""
    screen = console or Console(stderr=False, highlight=False)
    say = translator(preferred([language]))

    def tell(progress: Progress) -> None:
        minutes, seconds = divmod(int(progress.at), 60)
        style = {"begin": "bold", "end": "bold", "problem": "yellow"}.get(progress.kind, "")
        line = f"{minutes:3d}:{seconds:02d}  {progress.sentence(language)}"
        screen.print(line, style=style, markup=False, soft_wrap=True)

    async def main() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        told = asyncio.create_task(stop.wait(), name="signal")
        work = asyncio.create_task(run_simulation(site_folder, scenario, options=options, tell=tell))
        await asyncio.wait({work, told}, return_when=asyncio.FIRST_COMPLETED)
        await end([work, told], all_but=())
        if not work.cancelled():
            work.result()

    try:
        asyncio.run(main())
    except InvalidConfiguration as error:
        _complain(screen, map(str, error.problems))
        return 2
    except NotPlayable as error:
        _complain(screen, [say(error.message)])
        return 2
    except AlreadyRunning as error:
        _complain(
            screen, [translator(language)(Message(N_("simulators already run: {path}"), {"path": error}))]
        )
        return 2
    except (ValueError, OSError) as error:
        _complain(screen, [str(error)])
        return 2
    return 0


def _complain(screen: Console, lines: Iterable[str]) -> None:
    for line in lines:
        screen.print(line, style="red", markup=False, soft_wrap=True)
