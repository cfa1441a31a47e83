"""The links of a real installation: enrolment as docs/links.md says it, open ports, where secrets show."""

import asyncio
import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from ingest.bus import Bus, Credentials
from links.authority import Authority
from links.trust import trust_authority
from supervision.ports import free_ports
from tests.acceptance.conftest import GRIDWARDEN, Installation
from tests.conftest import NATS_SERVER, wait_until

PAGE = (Path(__file__).parents[2] / "docs" / "links.md").read_text(encoding="utf-8")


def commands(heading: str) -> list[list[str]]:
    """The shell lines of a section of the page, word by word."""
    section = PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    blocks = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    return [line.split("#")[0].split() for block in blocks for line in block.splitlines()]


class Box:
    """Another machine: a folder of its own, in which the page's commands run."""

    def __init__(self, folder: Path, site: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        shutil.copytree(site, folder / "site")
        self.agent: subprocess.Popen[bytes] | None = None

    def run(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*GRIDWARDEN, *words[1:]], cwd=self.folder, capture_output=True, text=True, timeout=60,
            check=False, env={**os.environ, "GRIDWARDEN_LANG": "en"},
        )  # fmt: skip

    def start(self, words: list[str]) -> None:
        with (self.folder / "agent.log").open("ab") as log:
            self.agent = subprocess.Popen([*GRIDWARDEN, *words[1:]], cwd=self.folder, stdout=log, stderr=log)

    def log(self) -> str:
        return (self.folder / "agent.log").read_text(encoding="utf-8")

    def link(self) -> bool:
        """Whether the agent says that both its lanes are connected."""
        try:
            status = (self.folder / "var" / "binhu-east" / "status.json").read_text(encoding="utf-8")
            return bool(json.loads(status)["link"])
        except (OSError, ValueError):
            return False

    def stop(self) -> None:
        if self.agent is not None:
            self.agent.send_signal(signal.SIGTERM)
            self.agent.wait(20)


@pytest.fixture
def boxes() -> Iterator[list[Box]]:
    made: list[Box] = []
    yield made
    for box in made:
        box.stop()


@pytest.mark.timeout(300)
def test_a_box_is_enrolled_replaced_and_revoked_as_the_page_says(
    installation: Callable[..., Installation], tmp_path: Path, boxes: list[Box]
) -> None:
    (up,), (invite, redeem, run), (show, revoke) = (
        commands("Enrol a box")[:1], commands("Enrol a box")[1:], commands("See, revoke, replace")
    )  # fmt: skip
    house = installation("--devices", "20", "--no-simulators", *up[2:]).start()
    core = Box.__new__(Box)
    core.folder = house.data.parent

    def said(words: list[str]) -> str:
        done = core.run(words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def enrol(name: str) -> tuple[Box, str]:
        box = Box(tmp_path / name, house.data / "site")
        boxes.append(box)
        token = re.search(r"gw1\.\S+", said([*invite, "--core", "127.0.0.1"]))
        assert token is not None
        enrolled = box.run([token[0] if word == "TOKEN" else word for word in redeem])
        assert enrolled.returncode == 0, enrolled.stderr
        again = box.run([*redeem[:3], token[0], "--data", "elsewhere"])
        assert "another box has used this token" in again.stderr
        box.start(run)
        house.wait(box.link, f"{name} is connected")
        return box, token[0]

    detector = next(
        row
        for row in csv.DictReader((house.data / "site" / "devices.csv").open(encoding="utf-8-sig"))
        if row["type"] == "z2m-smoke" and row["edge"] == "binhu-east"
    )
    assert "edge-binhu-east" in house.children()
    first, _ = enrol("first")
    house.wait(lambda: "edge-binhu-east" not in house.children(), "the agent on the core has ended")
    house.publish(f"zigbee2mqtt/binhu-east/{detector['address']}", '{"smoke": true, "battery": 90}')
    house.wait(lambda: house.get("alarms", device=detector["id"])["items"], "its smoke is an alarm")

    second, _ = enrol("second")
    house.wait(lambda: "replaced by another box" in first.log() and not first.link(), "the first box is shut")
    assert re.search(r"binhu-east +enrolled", said(show))
    assert "is shut out" in said(revoke)
    house.wait(lambda: "revoked" in second.log() and not second.link(), "the second box is shut out")
    assert re.search(r"binhu-east +shut out", said(show))
    assert house.get("health")["status"] == "ok"

    said(["gridwarden", "enrol", "binhu-east", "--here"])
    assert house.stop() == 0, house.output
    house.start()
    assert "edge-binhu-east" in house.children()
    assert house.stop() == 0, house.output


def test_without_an_address_for_boxes_none_is_invited(installation: Callable[..., Installation]) -> None:
    house = installation("--devices", "20", "--no-simulators").start()
    told = house.command("enrol", "binhu-east", "--data", str(house.data), check=False)
    assert told.returncode != 0
    assert "--bus-host ADDRESS" in told.stderr
    told = house.command("enrol", "binhu-eats", "--data", str(house.data), check=False)
    assert "did you mean `binhu-east`?" in told.stderr
    told = house.command("enrol", "--revoke", "binhu-east", "--data", str(house.data), check=False)
    assert "this machine's own agent" in told.stderr
    assert house.stop() == 0, house.output


def everything(process: psutil.Process) -> Iterator[psutil.Process]:
    yield process
    yield from process.children(recursive=True)


def test_nothing_listens_beyond_this_machine(installation: Callable[..., Installation]) -> None:
    house = installation("--devices", "60").start()
    assert house.process is not None
    listening = {
        (connection.laddr.ip, connection.laddr.port)
        for process in everything(psutil.Process(house.process.pid))
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN or connection.type.name == "SOCK_DGRAM"
    }
    assert {port for _, port in listening} >= set(house.ports), "what it serves was looked at"
    assert {ip for ip, _ in listening} == {"127.0.0.1"}
    assert house.stop() == 0, house.output


def secrets_of(house: Installation) -> dict[str, bytes]:
    """Every secret of the installation by the file that holds it, in the shape in which it could leak."""
    found: dict[str, bytes] = {}
    for file in sorted((house.data / "run" / "secrets").rglob("*")):
        if not file.is_file():
            continue
        if file.name in ("nats-core", "nats-mqtt", "key"):
            found[str(file)] = file.read_bytes().strip()
        elif file.suffix == ".key":
            found[str(file)] = b"".join(file.read_bytes().splitlines()[1:-1])
    return found


@pytest.mark.timeout(300)
def test_no_secret_shows_anywhere_but_in_its_file(
    installation: Callable[..., Installation], tmp_path: Path, boxes: list[Box]
) -> None:
    house = installation(
        "--devices", "40", "--bus-host", "127.0.0.1",
        "--influx", "http://127.0.0.1:9", "--influx-user", "writer",
        GRIDWARDEN_INFLUX_PASSWORD="correct-horse-battery-staple",
    ).start()  # fmt: skip
    at_core = ["--data", str(house.data)]
    token = re.search(r"gw1\.\S+", house.command("enrol", "binhu-east", *at_core).stdout)
    assert token is not None
    box = Box(tmp_path / "box", house.data / "site")
    boxes.append(box)
    said = [
        box.run(["gridwarden", "enrol", "--redeem", token[0]]),
        box.run(["gridwarden", "enrol", "--redeem", "-"]),
    ]
    box.start(["gridwarden", "edge", "site", "--id", "binhu-east"])
    house.wait(box.link, "the box is connected")
    house.wait(lambda: house.get("books")["stored"] > 20, "readings flow")
    said += [
        house.command(*words, check=False)
        for words in (
            ("audit", *at_core), ("doctor", *at_core), ("enrol", "--users", *at_core),
            ("enrol", "--list", *at_core), ("enrol", "--list", "--json", *at_core),
        )
    ]  # fmt: skip
    said += [
        subprocess.CompletedProcess(path, 0, json.dumps(house.get(path)), "")
        for path in ("health", "books", "overview", "site")
    ]
    assert "does not answer" not in said[2].stderr, said[2].stderr
    secrets = secrets_of(house)
    secrets["the box's key"] = (box.folder / "var" / "binhu-east" / "link" / "key").read_bytes().strip()
    secrets["the token"] = token[0].encode()
    secrets["InfluxDB's password"] = b"correct-horse-battery-staple"
    assert {Path(name).name for name in secrets} >= {
        "nats-core",
        "nats-mqtt",
        "authority.key",
        "server.key",
        "key",
    }
    assert all(len(secret) >= 24 for secret in secrets.values())

    house.stop()
    kept = {file for root in (house.data.parent, box.folder) for file in root.rglob("*") if file.is_file()}
    shown = {file for file in kept if file.parent.name != "link" and "secrets" not in file.parts}
    assert any(file.suffix == ".log" for file in shown)
    assert any(file.name == "status.json" for file in shown)
    assert any(file.suffix == ".db" for file in shown)
    for name, secret in secrets.items():
        for file in shown:
            assert secret not in file.read_bytes(), f"{name} shows in {file}"
        for done in said:
            text = done.stdout + done.stderr
            assert secret.decode() not in text, f"{name} is printed by {done.args}"
    for file in kept - shown:
        assert file.stat().st_mode & 0o077 == 0, f"others can read {file}"


def test_a_secret_file_that_others_can_read_stops_the_agent_with_the_remedy(tmp_path: Path) -> None:
    site = tmp_path / "site"
    (site / "edges").mkdir(parents=True)
    (site / "site.yaml").write_text("name: T\ntimezone: UTC\nlanguages: [en]\n")
    (site / "edges" / "e1.yaml").write_text("id: e1\nplace: p\nconnections: []\n")
    (site / "devices.csv").write_text("id,type,place,edge,connection,address\n")
    password = tmp_path / "password"
    password.write_text("hunter2")
    password.chmod(0o644)

    def agent(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "edge", str(site), "--id", "e1", "--data", str(tmp_path), *options],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    exposed = agent("--user", "u", "--password-file", str(password))
    assert exposed.returncode == 78
    assert f"chmod 600 {password}" in exposed.stderr
    assert "hunter2" not in exposed.stderr
    clear = agent("--bus", "nats://10.0.0.5:4222", "--user", "u")
    assert clear.returncode == 78
    assert "would carry everything in clear text: use tls://" in clear.stderr
    nobody = agent("--bus", "tls://10.0.0.5:4222")
    assert nobody.returncode == 78
    assert "it needs credentials" in nobody.stderr


def test_a_nats_server_elsewhere_lets_boxes_in_as_the_page_says(tmp_path: Path, boxes: list[Box]) -> None:
    """The page's configuration and commands, with a certificate of somebody else's authority."""

    (port,) = free_ports(1)
    there = tmp_path / "nats"
    authority = Authority.open(there)
    authority.server_certificate(there, ["nats.example.org", "127.0.0.1"], datetime.now(UTC))
    section = PAGE.split("## A NATS server elsewhere\n", 1)[1]
    config = re.search(r"```\n(.*?)```", section, re.DOTALL)
    assert config is not None
    password, new_key, admit, users, reload = commands("A NATS server elsewhere")
    core, box = Box.__new__(Box), Box.__new__(Box)
    core.folder, box.folder, box.agent = tmp_path / "core", tmp_path / "box", None
    boxes.append(box)
    for folder in (core.folder, box.folder):
        folder.mkdir()
    subprocess.run(" ".join(password), shell=True, cwd=core.folder, check=True)
    assert (core.folder / "nats-core").stat().st_mode & 0o777 == 0o600
    secret = (core.folder / "nats-core").read_text().strip()

    def write_users() -> None:
        done = core.run(users[: users.index(">")])
        assert done.returncode == 0, done.stderr
        (there / "gridwarden-users.conf").write_text(done.stdout)

    write_users()
    (there / "server.conf").write_text(
        f'host: "127.0.0.1"\nport: {port}\npid_file: "{there}/pid"\n'
        + config[1].replace("/var/lib/nats", f"{there}/store").replace("/etc/nats", str(there))
    )
    assert NATS_SERVER is not None
    with (there / "log").open("wb") as log:
        server = subprocess.Popen(
            [NATS_SERVER, "-c", str(there / "server.conf")], stderr=log,
            env={**os.environ, "GRIDWARDEN_CORE_PASSWORD": secret},
        )  # fmt: skip
    try:
        (box.folder / "ca.pem").write_text(authority.pem)
        words = [word.replace("nats.example.org:4222", f"127.0.0.1:{port}") for word in new_key]
        public = box.run(words).stdout.strip()
        done = core.run([public if word == "PUBLIC" else word for word in admit])
        assert done.returncode == 0, done.stderr
        write_users()
        wait_until(lambda: (there / "pid").exists(), "the server runs")
        subprocess.run([NATS_SERVER, *reload[1:-1], f"reload={there}/pid"], check=True)
        asyncio.run(_make_streams(f"tls://127.0.0.1:{port}", secret, box.folder / "ca.pem"))
        shutil.copytree(_small_site(tmp_path), box.folder / "site")
        box.start(["gridwarden", "edge", "site", "--id", "binhu-east"])
        wait_until(box.link, f"the box is connected: {(there / 'log').read_text()}", 30)
    finally:
        server.terminate()
        server.wait(20)


async def _make_streams(url: str, password: str, ca_file: Path) -> None:
    credentials = Credentials(user="core", password=password, tls=trust_authority(ca_file))
    async with await Bus.connect(url, credentials) as bus:
        await bus.ensure_streams()


def _small_site(tmp_path: Path) -> Path:
    site = tmp_path / "small-site"
    subprocess.run([*GRIDWARDEN, "community", str(site), "--devices", "10"], check=True, timeout=60)
    return site
