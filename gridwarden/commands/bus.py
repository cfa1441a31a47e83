"""``gridwarden bus``: the NATS server of an installation as a service, watched by asking it how it is."""

import asyncio
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gridwarden.console_text import complain, stop, tell
from gridwarden.own_names import own_names
from ingest.doorkeeper import Doorkeeper
from ingest.nats_config import ServerPorts
from ingest.nats_files import ServerError
from ingest.nats_server import NatsServer
from supervision import EXIT_IN_USE
from supervision.ending import end
from supervision.output import never_stop_for_the_log
from supervision.watchdog import Watchdog

LOOK_SECONDS: Final = 1.0
START_SECONDS: Final = 240.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What ``gridwarden bus`` was asked for."""

    store: Path
    secrets: Path
    port: int
    mqtt_port: int
    monitor_port: int
    listen: str
    names: tuple[str, ...]


def run(options: Options) -> None:
    """Run the server until SIGTERM or Ctrl-C; when it ends by itself, end too."""
    never_stop_for_the_log()
    server = NatsServer(
        options.store.resolve(),
        options.secrets.resolve(),
        ServerPorts(options.port, options.mqtt_port, options.monitor_port),
        listen=options.listen,
        names=options.names or (own_names(options.listen) if options.listen else ()),
        own_log=False,
        patience=START_SECONDS,
    )
    try:
        server.start()
    except ServerError as error:
        stop(str(error), code=EXIT_IN_USE)
    try:
        code = asyncio.run(_watch(server))
    finally:
        server.stop()
    if code is not None:
        complain(tell("The message bus ended (exit code {code}).", code=code))
        raise SystemExit(1)


async def _watch(server: NatsServer) -> int | None:
    """Tell the service manager as long as the server answers; its exit code when it ended by itself."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    watchdog = Watchdog()
    pulse = watchdog.pulse("NATS server")
    helpers = [
        asyncio.create_task(watchdog.run(), name="watchdog"),
        asyncio.create_task(Doorkeeper(server).run(), name="doorkeeper"),
    ]
    try:
        while not stopping.is_set():
            code = server.poll()
            if code is not None:
                return code
            if await asyncio.to_thread(server.answers):
                pulse.beat()
            try:
                async with asyncio.timeout(min(LOOK_SECONDS, pulse.idle)):
                    await stopping.wait()
            except TimeoutError:
                continue
        return None
    finally:
        await end(helpers)
