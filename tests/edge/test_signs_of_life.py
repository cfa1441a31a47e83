"""The agent tells its service manager that it works, from the loops that do the work."""

import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import ServerProcess, wait_until
from tests.edge.conftest import AgentProcess, wire_up
from tests.supervision.notify_socket import NotifySocket

HUNG_DISK = """
import sys, time
from pathlib import Path
from edge.outbox import Outbox

commit, hangs = Outbox.commit, Path(sys.argv[0]).parent / "hangs"

def hang(self, *arguments):
    while hangs.exists():
        time.sleep(0.05)
    return commit(self, *arguments)

Outbox.commit = hang
from edge.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[NotifySocket]:
    made = NotifySocket(tmp_path, watchdog=2)
    yield made
    made.close()


def test_it_says_ready_and_lives_with_and_without_a_bus_and_says_that_it_stops(
    site: Path, agents: Callable[..., AgentProcess], nats_server: ServerProcess, manager: NotifySocket
) -> None:
    wire_up(site, "- {id: rs, driver: modbus-rtu, settings: {port: nothing}}", "d1,xy-md02,rs,1\n")
    agent = agents(nats_server.url, "--serial-folder", str(site))
    agent.environment = manager.environment
    agent.start()
    assert agent.process is not None
    assert manager.wait_for("READY=1") == agent.process.pid
    manager.wait_for("WATCHDOG=1", more_than=4)
    nats_server.kill()
    wait_until(lambda: "waits: " in agent.log, "the link is missed")
    alive = manager.count("WATCHDOG=1")
    manager.wait_for("WATCHDOG=1", more_than=alive + 12)  # six seconds, three periods
    assert "does not move" not in agent.log
    assert agent.stop() == 0
    assert manager.receive()[-1][1] == "STOPPING=1"


def test_a_disk_that_hangs_silences_it_though_the_event_loop_turns(
    site: Path, agents: Callable[..., AgentProcess], tmp_path: Path, manager: NotifySocket
) -> None:
    wire_up(site, "- {id: rs, driver: modbus-rtu, settings: {port: nothing}}", "d1,xy-md02,rs,1\n")
    script = tmp_path / "agent.py"
    script.write_text(textwrap.dedent(HUNG_DISK))
    agent = agents("nats://127.0.0.1:1", "--serial-folder", str(tmp_path))
    agent.program = [str(script)]
    agent.environment = manager.environment
    agent.start()
    manager.wait_for("WATCHDOG=1", more_than=1)
    (tmp_path / "hangs").touch()
    # The agent's own health is the next thing to commit, within ten seconds.
    wait_until(lambda: "does not move any more: collector" in agent.log, "it misses its collector", 40)
    silent = manager.count("WATCHDOG=1")
    (tmp_path / "hangs").unlink()
    manager.wait_for("WATCHDOG=1", more_than=silent)
    assert agent.stop() == 0
