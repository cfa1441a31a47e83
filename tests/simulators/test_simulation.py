"""Playing a story on wires, the control socket, and the whole thing as a process."""

import asyncio
import contextlib
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from simulators import control
from simulators.clock import Clock
from simulators.device import Hold, Release, SimulatedDevice
from simulators.progress import Progress
from simulators.record import Record, Sent, read_record
from simulators.scenario import Scenario, load_scenario
from simulators.simulation import Simulation


class ManualClock(Clock):
    """The story's time moves when somebody waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.moment = 0.0

    def elapsed(self) -> float:
        return self.moment

    async def until(self, elapsed: float) -> None:
        await asyncio.sleep(0)
        self.moment = max(self.moment, elapsed)


class PaperWire:
    """A wire that writes down what it is told."""

    name = "paper"

    def __init__(self, house) -> None:
        self.devices = {
            name: SimulatedDevice(device, house.types[device.type]) for name, device in house.devices.items()
        }
        self.ready = asyncio.Event()
        self.told: list[tuple[str, object]] = []

    async def run(self) -> None:
        self.ready.set()
        await asyncio.Event().wait()

    def apply(self, device, change) -> None:
        self.devices[device].apply(change, 0)
        self.told.append((device, change))


async def play(found: Scenario, wire: PaperWire, house, clock: Clock | None = None) -> list[Progress]:
    told: list[Progress] = []

    async def tell(progress: Progress) -> None:
        told.append(progress)

    simulation = Simulation([wire], house, clock=Clock())
    await simulation.play(found, load_scenario, clock=clock or ManualClock(), tell=tell)
    return told


async def test_a_story_is_played_at_its_moments(house):
    wire, clock = PaperWire(house), ManualClock()
    told = await play(load_scenario("kitchen-fire"), wire, house, clock)
    assert clock.moment == load_scenario("kitchen-fire").length()
    assert ("kitchen-smoke", Hold({"smoke": True})) in wire.told
    assert [progress.at for progress in told] == sorted(progress.at for progress in told)
    assert not any(device.held or device.fault for device in wire.devices.values())


async def test_a_story_that_is_broken_off_gives_its_devices_back(house):
    wire = PaperWire(house)
    found = Scenario.model_validate(
        {
            "title": "t",
            "steps": [
                {"at": 0, "device": "kitchen-smoke", "set": {"smoke": True}},
                {"at": 3600, "device": "kitchen-smoke", "set": {"smoke": False}},
            ],
        }
    )
    task = asyncio.create_task(play(found, wire, house, Clock()))
    async with asyncio.timeout(10):
        while not wire.told:  # noqa: ASYNC110 - the wire is a list
            await asyncio.sleep(0.01)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert wire.told[-1] == ("kitchen-smoke", Release())


async def test_a_point_that_the_device_lacks_is_told_and_the_story_goes_on(house):
    wire = PaperWire(house)
    steps = [
        {"at": 0, "device": "kitchen-smoke", "set": {"pressure": 3}},
        {"at": 1, "device": "kitchen-smoke", "set": {"smoke": True}},
    ]
    told = await play(Scenario.model_validate({"title": "t", "steps": steps}), wire, house)
    assert [progress.kind for progress in told].count("problem") == 1
    assert ("kitchen-smoke", Hold({"smoke": True})) in wire.told


def test_the_storys_clock_runs_as_fast_as_it_is_told():
    with pytest.raises(ValueError, match="above 0"):
        Clock(0)
    clock = Clock(1e6)
    assert clock.story() - clock.wall() >= 0


# control -----------------------------------------------------------------------------------------


@pytest.fixture
def socket_path(tmp_path: Path) -> Path:
    return tmp_path / "sim.sock"


@contextlib.asynccontextmanager
async def serving(path: Path, player: control.Player):
    task = asyncio.create_task(control.serve(path, player))
    async with asyncio.timeout(10):
        while not path.exists():  # noqa: ASYNC110 - a file appears
            await asyncio.sleep(0.01)
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_a_second_terminal_plays_on_running_simulators(socket_path):
    asked: list[control.Play] = []

    async def player(request, tell) -> None:
        asked.append(request)
        await tell(Progress(0.0, "one {word}", {"word": {"zh": "句", "en": "sentence"}}))
        await tell(Progress(1.0, "end", kind="end"))

    socket_path.touch()  # what a killed process left
    socket_path.unlink()
    async with serving(socket_path, player):
        heard = [p async for p in control.ask(socket_path, control.Play("kitchen-fire", 10.0))]
    assert asked == [control.Play("kitchen-fire", 10.0)]
    assert [p.sentence("zh-CN") for p in heard] == ["one 句", "end"]
    assert not socket_path.exists()


async def test_hanging_up_stops_the_story(socket_path):
    stopped = asyncio.Event()

    async def player(request, tell) -> None:
        try:
            await tell(Progress(0.0, "begins"))
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async with serving(socket_path, player):
        heard = control.ask(socket_path, control.Play("x"))
        assert (await anext(heard)).template == "begins"
        await heard.aclose()
        await asyncio.wait_for(stopped.wait(), 10)


async def test_nobody_there_is_said_so(socket_path):
    with pytest.raises(control.NobodyThere):
        await anext(control.ask(socket_path, control.Play("x")))


async def test_what_is_no_request_is_answered_with_the_reason(socket_path):
    async def player(request, tell) -> None:
        raise AssertionError("nothing to play")

    async with serving(socket_path, player):
        reader, writer = await asyncio.open_unix_connection(str(socket_path))
        writer.write(b"play!\n")
        assert b'"kind":"problem"' in await reader.readline()
        writer.close()


async def test_a_path_longer_than_a_sockets_address_serves_too(tmp_path):
    path = tmp_path / ("deep" * 20) / ("folder" * 20) / "sim.sock"

    async def player(request, tell) -> None:
        await tell(Progress(0.0, "end", kind="end"))

    async with serving(path, player):
        assert [p.kind async for p in control.ask(path, control.Play("x"))] == ["end"]


# record ------------------------------------------------------------------------------------------


def test_a_record_can_be_read_after_its_simulator_was_killed(tmp_path):
    program = (
        "import sys, os; from pathlib import Path; from simulators.record import Record, Sent\n"
        "record = Record(Path(sys.argv[1]))\n"
        "for n in range(1000): record.write(Sent(n, 'd', 'p', n, n))\n"
        "record.flush(); record.write(Sent(1000, 'd', 'p', 0, 0)); os.kill(os.getpid(), 9)\n"
    )
    file = tmp_path / "sent.jsonl.gz"
    killed = subprocess.run(
        [sys.executable, "-c", program, str(file)], cwd=Path(__file__).parents[2], check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert [sent.value for sent in read_record(file)] == list(range(1000))


def test_a_record_in_a_folder_has_a_name_of_its_own(tmp_path):
    chance = random.Random(1)
    records = [Record(tmp_path) for _ in range(2)]
    for record in records:
        record.write(Sent(1, "d", "p", chance.random(), True))
        record.close()
    assert len(list(tmp_path.glob("sent-*.jsonl.gz"))) == 2


def test_a_records_folder_does_not_grow_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr("simulators.record.LARGEST", 100)
    monkeypatch.setattr("simulators.record.KEPT", 3)
    for start in range(5):
        record = Record(tmp_path)
        record.write(Sent(start, "d", "p", start, start))
        record.close()
    values = [sent.value for file in sorted(tmp_path.iterdir()) for sent in read_record(file)]
    assert values == [2, 3, 4]
