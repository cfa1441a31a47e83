"""Running one edge agent as a process: ``python -m edge`` and ``gridwarden edge`` end here.

Without the command line's libraries, so that an edge box needs no more memory than its work does.
"""

import argparse
import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from edge.agent import Agent, Installation
from edge.bus import Bus
from edge.installation import load_installation
from edge.intake import Broker
from edge.outbox import Limits, OutboxInUse, OutboxUnusable
from language import preferred, translator
from links.addresses import objection_to
from links.folder import LINK_FOLDER, InvalidLink, Link, exists
from links.secret_files import BUS_PASSWORD, SecretExposed, read_secret
from registry.problems import InvalidConfiguration
from registry.revision import FolderWatch
from supervision import EXIT_CONFIGURATION, EXIT_IN_USE
from supervision.watchdog import Watchdog

log = logging.getLogger(__name__)

BUS_URL: Final = "nats://127.0.0.1:4222"
LOOK_SECONDS: Final = 1.0
"""How often the site folder is looked at."""
RESERVE: Final = 16 << 20
"""Bytes of the disk that an agent keeps back for alarms: about 250,000 samples of the alarm lane."""


def run_edge(
    site: Path,
    edge_id: str,
    data: Path,
    bus: Bus,
    *,
    broker: Broker | None = None,
    serial_folder: Path = Path("/dev"),
    limits: Limits | None = None,
) -> None:
    """Run the agent of `edge_id` until SIGTERM or SIGINT.

    `data` is the folder of all edges; this one's outbox is ``<data>/<edge_id>/outbox.db``. `broker` serves
    MQTT connections whose settings name none, `serial_folder` serial ports that are no absolute path.

    Raises `registry.problems.InvalidConfiguration` (show its `problems`, stop), `OutboxInUse` (another
    agent runs on this data), `OutboxUnusable` (the data folder is none, or another edge's). A disk that is
    full or broken at start is no reason to stop: what is read goes straight to the bus.
    """
    load = partial(
        load_installation, site, edge_id, data, bus, broker=broker, serial_folder=serial_folder, limits=limits
    )
    folder = FolderWatch(site)
    installation: Installation | None = load()
    # What is loaded now lives as long as the process: it is looked through for garbage no more. What comes
    # later is collected after some thousand objects: the default (700) is a fifth of the work, and with
    # 50,000 the cycles that end tasks and timeouts are seven more megabytes.
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 20, 100)
    while installation is not None:
        installation = asyncio.run(_run(Agent(installation, watchdog=Watchdog()), folder, load))


async def _run(agent: Agent, folder: FolderWatch, load: Callable[[], Installation]) -> Installation | None:
    """Run until a signal (None), or until the site folder wires this edge differently (how).

    The agent ends in order and another begins in the same process: what is sent meanwhile waits at the
    broker, and a serial line is not polled for a moment.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    rewired = asyncio.create_task(_rewired(agent, folder, load), name="site folder")
    rewired.add_done_callback(lambda _: stop.set())
    await agent.run(stop)
    if rewired.done():
        return rewired.result()
    rewired.cancel()
    return None


async def _rewired(agent: Agent, folder: FolderWatch, load: Callable[[], Installation]) -> Installation:
    """The edge's next wiring, once the folder is edited so that it has another one that is sound."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        if not await asyncio.to_thread(folder.changed):
            continue
        folder.taken()
        try:
            found = await asyncio.to_thread(load)
        except InvalidConfiguration as error:
            for problem in error.problems:
                log.warning("the edited site folder is not taken on: %s", problem)
            continue
        if found != agent.installation:
            log.info("the site folder wires this edge differently: going on with that")
            return found


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m edge SITE --id EDGE …``; returns the exit status."""
    say = translator(preferred())
    given = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        run_edge(
            given.site,
            given.id,
            given.data,
            _bus(given),
            broker=Broker(given.broker, given.broker_user, read_secret(given.broker_password_file)),
            serial_folder=given.serial_folder,
            limits=Limits(given.outbox_limit, spare=given.disk_spare, reserve=given.disk_reserve),
        )
    except InvalidConfiguration as error:
        for problem in error.problems:
            print(say(problem.told(problem.short)), file=sys.stderr)
        return EXIT_CONFIGURATION
    except InvalidLink as error:
        print(say(error.message), file=sys.stderr)
        return EXIT_CONFIGURATION
    except SecretExposed as error:
        print(error, file=sys.stderr)
        return EXIT_CONFIGURATION
    except OutboxInUse as error:
        print(error, file=sys.stderr)
        return EXIT_IN_USE
    except (OutboxUnusable, OSError) as error:
        print(error, file=sys.stderr)
        return os.EX_IOERR
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m edge",
        description="Run one edge agent of a site.",
        epilog="Example: python -m edge var/site --id edge-1 --data var/edges --bus nats://127.0.0.1:4222",
    )
    parser.add_argument("site", type=Path, help="the site folder")
    parser.add_argument("--id", required=True, help="which of the site's edges this is")
    parser.add_argument("--data", type=Path, default=Path("var/edges"), help="where outboxes are kept")
    parser.add_argument("--link", type=Path, help="folder of the enrolled box's link (DATA/ID/link)")
    parser.add_argument("--bus", help=f"a NATS server to use without enrolment ({BUS_URL})")
    parser.add_argument("--user", default="", help="its user")
    parser.add_argument("--password-file", type=Path, help="file that holds the user's password")
    parser.add_argument("--credentials-file", default="", help="NATS credentials instead of a password")
    parser.add_argument("--broker", default=Broker.url, help="MQTT broker of connections that name none")
    parser.add_argument("--broker-user", default="", help="its user")
    parser.add_argument("--broker-password-file", type=Path, help="file that holds that user's password")
    parser.add_argument("--serial-folder", type=Path, default=Path("/dev"), help="where serial ports lie")
    parser.add_argument("--outbox-limit", type=int, default=Limits.bytes, help="bytes that may wait")
    parser.add_argument(
        "--disk-spare", type=int, default=Limits.spare, help="bytes of the disk that telemetry leaves free"
    )
    parser.add_argument(
        "--disk-reserve", type=int, default=RESERVE, help="bytes of the disk kept back for alarms"
    )
    return parser


def _bus(given: argparse.Namespace) -> Bus:
    """The bus that this box is enrolled at, or the one named; raises `InvalidLink`, OSError."""
    folder = given.link or given.data / given.id / LINK_FOLDER
    if given.bus is None and (given.link is not None or exists(folder)):
        return Bus.of(Link.read(folder, given.id))
    password = read_secret(given.password_file) or os.environ.get(BUS_PASSWORD, "")
    bus = Bus(given.bus or BUS_URL, given.user, password, given.credentials_file)
    if objection := objection_to(bus.url, authenticated=bus.authenticated):
        raise InvalidLink(objection)
    return bus
