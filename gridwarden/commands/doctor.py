"""``gridwarden doctor``: looks at the machine and the installation, and says how to mend what is wrong."""

import os
import shutil
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx

from gridwarden.commands.core import config_of, read_config
from gridwarden.console_text import LANGUAGE, say, tell, translate
from gridwarden.finding import Finding, Verdict
from gridwarden.operations_check import check_operations
from gridwarden.site_check import check_site
from gridwarden.storage_check import check_influx, check_limits
from ingest.enrolment import RegisterUnusable
from ingest.nats_files import ServerError, ServerFiles
from ingest.nats_server import find_server, server_version
from ingest.opening import CannotRun, influx_settings
from ingest.stores.influx_client import InfluxSettings
from links.addresses import Address
from links.authority import RENEW_BEFORE, certificate_end
from links.secret_files import read_secret
from registry.problems import InvalidConfiguration

GIGABYTE: Final = 1 << 30
DISK_LOW: Final = 2 * GIGABYTE

_MARKS: Final[dict[Verdict, str]] = {"good": "✓", "warning": "!", "bad": "✗"}


def run(
    data: Path, file: Path | None, influx: str, influx_user: str, influx_password_file: Path | None
) -> int:
    """Look at everything; the exit code is 1 when something is bad. `file` is the services' configuration."""
    looks: list[Callable[[], Iterator[Finding]]] = [_machine]
    if file is None:
        looks += [
            lambda: _data_folder(data),
            lambda: _links(data / "run" / "secrets"),
            lambda: _site(data / "site"),
        ]
    else:
        looks.append(lambda: _services(file))
    looks += [
        lambda: _gateway(data, file),
        lambda: _storage(data, file, influx, influx_user, influx_password_file),
    ]
    worst = 0
    for look in looks:
        for finding in look():
            say(f"{_MARKS[finding.verdict]} {finding.what}")
            if finding.remedy:
                say(f"    → {finding.remedy}")
            worst = max(worst, int(finding.verdict == "bad"))
    return worst


def _machine() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("good", tell("Python {version}", version=version))
    try:
        server = find_server()
        number = ".".join(map(str, server_version(server)))
        yield Finding("good", tell("NATS server {version} ({path})", version=number, path=server))
    except ServerError as error:
        yield Finding("bad", str(error))


def _services(file: Path) -> Iterator[Finding]:
    with suppress(InvalidConfiguration):  # told with the gateway
        config = read_config(file)
        yield from _data_folder(config.data)
        yield from _site(config.site)


def _data_folder(data: Path) -> Iterator[Finding]:
    if not data.exists():
        yield Finding(
            "warning",
            tell("{folder} does not exist yet", folder=data),
            tell("Start with: gridwarden up"),
        )
        return
    if not os.access(data, os.W_OK):
        yield Finding(
            "bad", tell("{folder} cannot be written", folder=data), tell("Check its owner and mount.")
        )
    free = shutil.disk_usage(data).free
    what = tell("{free} GB free for {folder}", free=f"{free / GIGABYTE:.1f}", folder=data)
    if free < DISK_LOW:
        yield Finding("bad", what, tell("Make room: telemetry will be thinned when the disk fills."))
    else:
        yield Finding("good", what)
    for secret in (data / "run" / "secrets").rglob("*"):
        if secret.is_file() and stat.S_IMODE(secret.stat().st_mode) & 0o077:
            yield Finding("bad", tell("{file} can be read by others", file=secret), f"chmod 600 {secret}")


def _links(secrets: Path) -> Iterator[Finding]:
    files = ServerFiles(secrets)
    try:
        state, enrolments = files.state(), files.register.read()
        ends = certificate_end(secrets / "server.pem") if state is not None and state.tls else None
    except (ServerError, RegisterUnusable, OSError, ValueError) as error:
        yield Finding("bad", str(error))
        return
    if state is None:
        return
    if ends is None:
        yield Finding("good", tell("the message bus listens on this machine only"))
        return
    boxes = sum(not enrolled.local for enrolled in enrolments.edges.values())
    what = tell(
        "the message bus lets {boxes} {boxes|box|boxes} in at {address}, over TLS; "
        "its certificate ends on {day}",
        boxes=boxes,
        address=Address(state.host, state.port),
        day=ends.date().isoformat(),
    )
    if ends - datetime.now(UTC) < RENEW_BEFORE / 2:
        remedy = tell("It should have been renewed by now: look at the log of the message bus.")
        yield Finding("bad", what, remedy)
    else:
        yield Finding("good", what)


def _site(folder: Path) -> Iterator[Finding]:
    if not folder.exists():
        return
    configuration = check_site(folder)
    errors = sum(problem.severity == "error" for problem in configuration.problems)
    if errors:
        yield Finding(
            "bad",
            tell("the site folder has {errors} {errors|error|errors}", errors=errors),
            tell("See them: gridwarden check {folder}", folder=folder),
        )
    elif configuration.site is not None:
        yield Finding(
            "good",
            tell(
                "the site folder is sound ({devices} {devices|device|devices})",
                devices=len(configuration.site.devices),
            ),
        )


def _gateway(data: Path, file: Path | None = None) -> Iterator[Finding]:
    try:
        config = config_of(data, file)
    except InvalidConfiguration as error:
        yield from (Finding("bad", translate(problem.told(problem.short))) for problem in error.problems)
        return
    if config is None:
        return
    host, port = config.web.host, config.web.port
    with socket.socket() as probe:
        probe.settimeout(1)
        if probe.connect_ex((host, port)):
            yield Finding(
                "warning",
                tell("the gateway does not run"),
                tell("Start it: gridwarden up --data {data}", data=data)
                if file is None
                else tell("Next: systemctl start gridwarden.target"),
            )
            return
    address = f"http://{host}:{port}/api/v1"
    try:
        with httpx.Client(
            base_url=address, headers={"Accept-Language": LANGUAGE}, timeout=10, trust_env=False
        ) as client:
            health = client.get("/health").json()
            totals = client.get("/overview").json()["totals"]
    except (httpx.HTTPError, ValueError, KeyError) as error:
        yield Finding("bad", tell("the gateway does not answer: {reason}", reason=error))
        return
    for component in health["components"]:
        verdict: Verdict = {"ok": "good", "degraded": "warning"}.get(component["state"], "bad")  # type: ignore[assignment]
        part, detail = component["name"], component["detail"]
        yield Finding(verdict, tell("{part}: {detail}", part=part, detail=detail) if detail else part)
    if totals["edges_down"]:
        yield Finding(
            "bad",
            tell(
                "{down} of {edges} {edges|edge|edges} not heard",
                down=totals["edges_down"],
                edges=totals["edges"],
            ),
            tell("Look at the edge's log and its link."),
        )
    else:
        yield Finding("good", tell("{edges} of {edges} {edges|edge|edges} heard", edges=totals["edges"]))
    silent = Finding("good", tell("no device is silent"))
    if totals["silent"]:
        silent = Finding(
            "warning",
            tell(
                "{silent} of {devices} {devices|device|devices} {silent|is|are} silent",
                silent=totals["silent"],
                devices=totals["devices"],
            ),
        )
    yield silent


def _storage(
    data: Path, file: Path | None, influx: str, user: str, password_file: Path | None
) -> Iterator[Finding]:
    """What gateway.yaml says of disks and stores; an InfluxDB that was named wins over the one in it."""
    settings: InfluxSettings | None = None
    try:
        if influx:
            given = os.environ.get("GRIDWARDEN_INFLUX_PASSWORD", "")
            settings = InfluxSettings(influx, user=user, password=read_secret(password_file, given))
        config = config_of(data, file)
        if config is not None:
            yield from check_limits(config)
            yield from check_operations(config)
            if config.influx is not None and settings is None:
                settings = influx_settings(config.influx)
    except InvalidConfiguration:
        pass  # told with the gateway
    except CannotRun as error:
        yield Finding("bad", translate(error.message))
    except OSError as error:
        yield Finding("bad", str(error))
    if settings is not None:
        yield from check_influx(settings)
