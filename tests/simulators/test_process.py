"""The simulators as a process of their own, and a second terminal that plays on top of them."""

import asyncio
import contextlib
import io
import json
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import aiomqtt
import pytest
from pymodbus.client import AsyncModbusSerialClient
from rich.console import Console

from simulators import control
from simulators.main import AlreadyRunning, Options, run_simulation, simulate
from simulators.progress import Progress
from simulators.record import read_record

ROOT = Path(__file__).parents[2]
LIMIT = 30.0

SERVE = textwrap.dedent(
    """
    import json, sys
    from pathlib import Path
    from simulators.main import Options, simulate
    site, scenario, options = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    for name in ("serial_dir", "record", "control"):
        options[name] = Path(options[name])
    sys.exit(simulate(Path(site), scenario, Options(stay=True, **options)))
    """
)


class Running:
    """A simulator process and where it can be found."""

    def __init__(self, site: Path, folder: Path, broker: str, scenario: str, **more: object) -> None:
        self.site = site
        self.serial_dir = folder / "sim"
        self.record = folder / "sent.jsonl.gz"
        self.control = folder / "sim.sock"
        self.broker = broker
        options = {name: str(getattr(self, name)) for name in ("serial_dir", "record", "control", "broker")}
        self.output = (folder / "output.txt").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(site), scenario, json.dumps({**options, **more})],
            cwd=ROOT,
            stdout=self.output,
            stderr=subprocess.STDOUT,
        )

    def options(self, **more) -> Options:
        return Options(serial_dir=self.serial_dir, broker=self.broker, control=self.control, **more)

    def said(self) -> str:
        return Path(self.output.name).read_text()

    async def until(self, condition: Callable[[], object], what: str) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LIMIT):
                while not condition() and self.process.poll() is None:  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.02)
        assert condition(), f"{what}\n{self.said()}"

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=20)
        self.output.close()
        return code


@pytest.fixture
def running(site_folder, tmp_path, mosquitto_broker) -> Iterator[Running]:
    started = Running(site_folder, tmp_path, mosquitto_broker.url, "quiet-day")
    yield started
    if started.process.poll() is None:
        started.end()


@contextlib.asynccontextmanager
async def listening(broker, topics: str):
    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        await client.subscribe(topics, qos=1)
        yield client


async def heard(client: aiomqtt.Client, wanted: bytes) -> aiomqtt.Message:
    async with asyncio.timeout(LIMIT):
        async for message in client.messages:
            if wanted in bytes(message.payload):
                return message
    raise AssertionError("unreachable")


async def test_a_second_terminal_plays_on_the_running_devices(running, mosquitto_broker):
    await running.until(running.control.exists, "the control socket appears")
    told: list[Progress] = []
    async with listening(mosquitto_broker, "#") as client:
        async with asyncio.timeout(LIMIT):
            await run_simulation(
                running.site, "kitchen-fire", options=running.options(speed=60), tell=told.append
            )
        smoke = await heard(client, b'"smoke":true')
        assert str(smoke.topic) == "zigbee2mqtt/kitchen/smoke"
        camera = await heard(client, b'"label":"person"')
        assert str(camera.topic) == "frigate/events"
    assert (told[0].kind, told[-1].kind) == ("begin", "end")
    assert running.end() == 0
    sent = list(read_record(running.record))
    assert {s.value for s in sent if (s.device, s.point) == ("kitchen-smoke", "smoke")} == {True, False}


async def test_the_process_owns_its_lines_and_takes_them_along_when_it_ends(running):
    line = running.serial_dir / "rs485-1"
    await running.until(line.exists, "the serial line appears")
    reader = AsyncModbusSerialClient(str(line), baudrate=9600, timeout=5)
    assert await reader.connect()
    answer = await reader.read_input_registers(1, count=2, device_id=17)
    assert not answer.isError()
    reader.close()
    await running.until(running.control.exists, "the control socket appears")
    assert running.end() == 0
    assert not line.is_symlink()
    assert not running.control.exists()
    assert [s.point for s in read_record(running.record) if s.device == "cellar"] == [
        "temperature",
        "humidity",
    ]


async def test_a_second_set_of_simulators_is_refused(running):
    await running.until(running.control.exists, "the control socket appears")
    with pytest.raises(AlreadyRunning):
        await run_simulation(running.site, "quiet-day", options=running.options(stay=True))


async def test_after_a_kill_the_next_simulators_take_over(running, site_folder, tmp_path, mosquitto_broker):
    await running.until(running.control.exists, "the control socket appears")
    running.process.kill()
    running.process.wait()
    running.output.close()
    again = Running(site_folder, tmp_path, mosquitto_broker.url, "quiet-day")
    try:
        line = again.serial_dir / "rs485-1"
        await again.until(lambda: line.exists() and _answers(again.control), "the next simulators listen")
    finally:
        assert again.end() == 0


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


async def test_without_running_simulators_a_scenario_brings_the_wires_it_needs(
    site_folder, tmp_path, mosquitto_broker
):
    options = Options(
        serial_dir=tmp_path / "sim",
        broker=mosquitto_broker.url,
        control=tmp_path / "sim.sock",
        speed=60,
    )
    told: list[Progress] = []
    async with listening(mosquitto_broker, "#") as client, asyncio.timeout(LIMIT):
        await run_simulation(site_folder, "kitchen-fire", options=options, tell=told.append)
        await heard(client, b'"smoke":true')
    assert told[0].values["wires"] == 3
    assert not (tmp_path / "sim" / "rs485-1").is_symlink()


@pytest.mark.parametrize("name", ["kitchen-fire", "kitchen-fyre"])
def test_what_cannot_be_played_ends_with_a_sentence_and_a_code(site_folder, tmp_path, name):
    (site_folder / "devices.yaml").write_text("[]\n")
    screen = io.StringIO()
    options = Options(serial_dir=tmp_path)
    assert simulate(site_folder, name, options, console=Console(file=screen, width=200)) == 2
    said = screen.getvalue()
    assert "kitchen" in said
    assert "Traceback" not in said


async def test_a_control_socket_may_be_asked_for_an_unknown_scenario(running):
    await running.until(running.control.exists, "the control socket appears")
    told = [p async for p in control.ask(running.control, control.Play("kitchen-fyre"))]
    assert [progress.kind for progress in told] == ["problem"]
    assert "kitchen-fire" in told[0].sentence("en")
