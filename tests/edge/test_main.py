"""Starting: mistakes in the site folder are told with file and line, and a plain stop is a plain end."""

import re

import pytest

from edge.bus import Bus
from edge.drivers import DRIVERS, driver_class
from edge.installation import load_installation
from edge.main import EXIT_CONFIGURATION
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


@pytest.mark.parametrize(
    ("settings", "refused"),
    [
        ("broker: 'mqtt://10.0.0.5', username: sensors", True),
        ("broker: 'mqtt://localhost.example.org:1883', username: sensors", True),
        ("broker: 'mqtts://10.0.0.5', username: sensors", False),
        ("broker: 'mqtt://127.0.0.1:1883', username: sensors", False),
        ("broker: 'mqtt://10.0.0.5'", False),
        ("broker: 'mqtt://10.0.0.5', username: sensors, clear_text: true", False),
    ],
)
def test_a_password_does_not_go_over_the_network_readable_unless_the_site_says_so(
    site, tmp_path, settings, refused
):
    wire_up(site, f"- {{id: z2m, driver: zigbee2mqtt, settings: {{{settings}}}}}", "d1,z2m-smoke,z2m,x\n")
    if refused:
        (found,) = problems(site, tmp_path)
        assert "e1.yaml" in found
        assert "clear text" in found
    else:
        load_installation(site, "e1", tmp_path, Bus(NOWHERE))


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


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_an_edge_before_its_core_says_at_once_what_it_waits_for_and_when_it_comes(
    language, site, agents, nats_server, streams, tmp_path
):
    """Where, since when, why, what becomes of the data; without the password of the URL."""
    wire_up(site, "- {id: rs, driver: modbus-rtu, settings: {port: nothing}}", "d1,xy-md02,rs,1\n")
    nats_server.stop()
    agent = agents(nats_server.url.replace("://", "://east:secret@"), "--serial-folder", str(tmp_path))
    agent.environment = {"GRIDWARDEN_LANG": language}
    agent.start()
    waits, nobody, there = {
        "en": ("Waiting for the message bus at", "nobody listens there", "is there, after"),
        "zh": ("起等待", "该地址无人监听", "上的消息总线已连上"),
    }[language]
    wait_until(lambda: (tmp_path / "data").exists() and waits in agent.log, "it says that it waits")
    (told,) = [line for line in agent.log.splitlines() if waits in line]
    assert nobody in told
    assert nats_server.url in told
    assert str(agent.outbox.parent) in told
    assert len(re.findall(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d", told)) == 2  # the log's own, and since when
    nats_server.start()
    wait_until(lambda: there in agent.log, "it says that the bus is there")
    assert agent.stop() == 0
    assert agent.log.count(waits) == 1
    assert "secret" not in agent.log
