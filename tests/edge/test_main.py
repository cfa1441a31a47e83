"""Starting: mistakes in the site folder are told with file and line, and a plain stop is a plain end."""

import pytest

from edge.drivers import DRIVERS, driver_class
from edge.installation import load_installation
from edge.main import EXIT_CONFIGURATION
from edge.uplink import Bus
from registry.problems import InvalidConfiguration
from tests.conftest import wait_until
from tests.edge.conftest import wire_up

NOWHERE = "nats://127.0.0.1:1"


def problems(site, tmp_path):
    with pytest.raises(InvalidConfiguration) as caught:
        load_installation(site, "e1", tmp_path, Bus(NOWHERE))
    return [str(problem) for problem in caught.value.problems]


def test_every_mistake_in_a_connections_settings_is_told_with_its_line(site, tmp_path):
    wire_up(
        site,
        """
        - id: rs
          driver: modbus-rtu
          settings: {prot: ttyS0, parity: X}
        - id: z2m
          driver: zigbee2mqtt
          settings:
            brokr: "mqtt://x"
        """,
        "d1,xy-md02,rs,1\n",
    )
    found = problems(site, tmp_path)
    assert len(found) == 4
    assert any("e1.yaml:7" in line and "`prot`" in line and "did you mean `port`" in line for line in found)
    assert any("e1.yaml:7" in line and "`port` is missing" in line for line in found)
    assert any("parity" in line for line in found)
    assert any("e1.yaml:11" in line and "did you mean `broker`" in line for line in found)


def test_a_device_that_its_driver_cannot_read_is_told(site, tmp_path):
    wire_up(site, "- {id: rs, driver: modbus-rtu, settings: {port: ttyS0}}", "d1,z2m-smoke,rs,1\n")
    assert any("modbus" in line for line in problems(site, tmp_path))


def test_an_unknown_edge_is_told_by_the_command(site, tmp_path, agents):
    wire_up(site, "- {id: rs, driver: modbus-rtu, settings: {port: ttyS0}}", "d1,xy-md02,rs,1\n")
    agent = agents(NOWHERE)
    agent.program = ["-m", "edge"]
    agent.extra = ["--id", "e9"]
    agent.start()
    assert agent.process.wait(20) == EXIT_CONFIGURATION
    assert "there is no edge `e9`" in agent.log
    agent.process = None


@pytest.mark.parametrize("name", sorted(DRIVERS))
def test_every_driver_describes_each_of_its_settings(name):
    for field, about in driver_class(name).settings.model_fields.items():
        assert about.description, f"{name}: {field}"


async def test_readings_taken_while_the_bus_is_down_wait_and_an_edge_stops_in_time(site, agents, tmp_path):
    wire_up(site, "- {id: rs, driver: modbus-rtu, settings: {port: nothing}}", "d1,xy-md02,rs,1\n")
    agent = agents(NOWHERE, "--serial-folder", str(tmp_path))
    agent.start()
    wait_until(lambda: (agent.outbox.parent / "status.json").exists(), "it reports")
    assert agent.stop() == 0
    assert "cannot be opened" in agent.log
