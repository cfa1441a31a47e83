"""The command ``gridwarden``: its sub-commands, each imported only when it runs.

An edge box starts in a few tens of megabytes because ``gridwarden edge`` never imports the gateway.
"""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from gridwarden import grafana_cli, influx_cli, operations_cli, quarantine_cli, transfer_cli
from gridwarden.console_text import _, say, stop
from gridwarden.options import DEFAULT_DATA, DataFolder, ServicesConfig
from gridwarden.teaching import Command, Commands

app = typer.Typer(
    name="gridwarden",
    help=_("The sensing edge and gateway of a community's safety platform."),
    epilog=_("Start with: gridwarden up"),
    cls=Commands,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

command = partial(app.command, cls=Command)
app.add_typer(
    quarantine_cli.app,
    name="quarantine",
    help=_("What could not be used: list it, look at it, try it again, drop it.")
    + "\n\n"
    + _("Example: gridwarden quarantine list"),
)
app.add_typer(transfer_cli.app)
app.add_typer(
    influx_cli.app,
    name="influx",
    help=_("InfluxDB: make one ready, fill it with what is stored already, compare.")
    + "\n\n"
    + _("Example: gridwarden influx setup --dry-run"),
)
app.add_typer(
    grafana_cli.app,
    name="grafana",
    help=_("Grafana: its dashboards as files, through its API, and checked against InfluxDB.")
    + "\n\n"
    + _("Example: gridwarden grafana push --secret-file grafana.token"),
)

app.add_typer(
    operations_cli.app,
    name="operations",
    help=_("The operations database (alarms, cases, the rules' state): move it to another place.")
    + "\n\n"
    + _("Example: gridwarden operations copy --to postgresql://gridwarden@127.0.0.1/gridwarden"),
)

SiteFolder = Annotated[Path, typer.Argument(help=_("The site folder (site.yaml, devices.csv, edges/ …)."))]
DEFAULT_SITE = Path("var/site")


def _version(wanted: bool) -> None:
    if wanted:
        from gridwarden import __version__

        typer.echo(f"gridwarden {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help=_("Show the version."))
    ] = False,
) -> None:
    """Options that hold for every command."""


@command(
    help=_("Run everything on this machine: message bus, gateway, edge agents, simulators.")
    + "\n\n"
    + _("Example: gridwarden up --devices 500 --port 8421"),
)
def up(
    data: DataFolder = DEFAULT_DATA,
    site: Annotated[
        Path | None,
        typer.Option(help=_("Your own site folder; default: the reference community in DATA/site.")),
    ] = None,
    devices: Annotated[
        int, typer.Option(min=10, max=50_000, help=_("Devices of the reference community, when it is made."))
    ] = 2000,
    port: Annotated[int, typer.Option(min=1, max=65535, help=_("Port of the console and the API."))] = 8420,
    bus_port: Annotated[
        int, typer.Option(min=1, max=65535, help=_("Port of the message bus (NATS)."))
    ] = 4222,
    bus_host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help=_("Let edges on other machines in at this address (0.0.0.0: all), with TLS."),
        ),
    ] = "",
    mqtt_port: Annotated[int, typer.Option(min=1, max=65535, help=_("Port of the MQTT broker."))] = 1883,
    influx: Annotated[
        str, typer.Option(help=_("Write to this InfluxDB too, e.g. http://127.0.0.1:8086"))
    ] = "",
    influx_database: Annotated[str, typer.Option(help=_("InfluxDB database."))] = "gridwarden",
    influx_user: Annotated[str, typer.Option(envvar="GRIDWARDEN_INFLUX_USER", help=_("InfluxDB user."))] = "",
    influx_password_file: Annotated[
        Path | None,
        typer.Option(help=_("File (mode 600) with the password; or set GRIDWARDEN_INFLUX_PASSWORD.")),
    ] = None,
    grafana: Annotated[
        str, typer.Option(help=_("Address of Grafana, for links from the console to its dashboards."))
    ] = "",
    simulators: Annotated[
        bool, typer.Option("--simulators/--no-simulators", help=_("Simulated devices on the real wires."))
    ] = True,
    scenario: Annotated[
        str, typer.Option(help=_("What the simulators play; see: gridwarden simulate --list"))
    ] = "demo",
) -> None:
    """Run everything on this machine."""
    from gridwarden.commands import up as module

    module.run(
        module.Options(
            data=data,
            site=site,
            devices=devices,
            port=port,
            bus_port=bus_port,
            bus_host=bus_host,
            mqtt_port=mqtt_port,
            influx=influx,
            influx_database=influx_database,
            influx_user=influx_user,
            influx_password_file=influx_password_file,
            grafana=grafana,
            simulators=simulators,
            scenario=scenario,
        )
    )


@command(
    help=_("Run one edge agent: reads the devices of its wires, loses nothing while the link is down.")
    + "\n\n"
    + _("Example: gridwarden edge /etc/gridwarden/site --id east-1 (after gridwarden enrol --redeem …)"),
)
def edge(
    site: SiteFolder,
    edge_id: Annotated[str, typer.Option("--id", help=_("Which edge of the site this is."))],
    data: DataFolder = DEFAULT_DATA,
    link: Annotated[
        Path | None, typer.Option(help=_("Folder of the box's link to its core; default: DATA/ID/link."))
    ] = None,
    bus: Annotated[
        str | None, typer.Option(help=_("A message bus to use without enrolment: tls://HOST:PORT."))
    ] = None,
    user: Annotated[str, typer.Option(help=_("User on that message bus."))] = "",
    password_file: Annotated[Path | None, typer.Option(help=_("File (mode 600) with its password."))] = None,
) -> None:
    """Run one edge agent."""
    from gridwarden.commands import edge as module

    module.run(site, edge_id, data, link=link, bus=bus, user=user, password_file=password_file)


@command(
    help=_("Let a box speak for an edge: hand out a one-time token, redeem it on the box, revoke.")
    + "\n\n"
    + _("Example: gridwarden enrol east-1, then on the box what it prints: gridwarden enrol --redeem gw1.…"),
)
def enrol(
    edge_id: Annotated[str, typer.Argument(metavar="EDGE", help=_("The edge that a box is to be."))] = "",
    redeem: Annotated[
        str, typer.Option(metavar="TOKEN", help=_("On the box: become the edge that the token names."))
    ] = "",
    list_: Annotated[
        bool, typer.Option("--list", help=_("List who is enrolled, invited, shut out."))
    ] = False,
    revoke: Annotated[
        str, typer.Option(metavar="EDGE", help=_("Shut out whoever speaks for this edge, at once."))
    ] = "",
    here: Annotated[
        bool,
        typer.Option(
            "--here",
            help=_("The edge runs on this machine: in gridwarden up; with --secrets, as a service."),
        ),
    ] = False,
    core: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST[:PORT]", help=_("Where the box reaches the core; may be repeated.")),
    ] = None,
    minutes: Annotated[float, typer.Option(min=0.1, max=1440, help=_("How long the token serves."))] = 15,
    key: Annotated[
        str, typer.Option(metavar="U…", help=_("Enrol the box that has this public key, without a token."))
    ] = "",
    users: Annotated[
        bool, typer.Option("--users", help=_("Print core and edges as users for a NATS server elsewhere."))
    ] = False,
    new_key: Annotated[
        bool, typer.Option("--new-key", help=_("On the box, for a NATS server elsewhere: make its key."))
    ] = False,
    bus: Annotated[str, typer.Option(help=_("With --new-key: that server, tls://HOST:PORT."))] = "",
    ca_file: Annotated[
        Path | None, typer.Option(help=_("With --new-key: certificate of that server's authority."))
    ] = None,
    data: DataFolder = DEFAULT_DATA,
    secrets: Annotated[
        Path | None, typer.Option(help=_("Folder of the message bus's secrets; default: DATA/run/secrets."))
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help=_("For programs (with --list)."))] = False,
) -> None:
    """Let a box speak for an edge."""
    from gridwarden.commands import enrol as module

    verbs = [bool(redeem), list_, bool(revoke), users, bool(edge_id)]
    if sum(verbs) != 1:
        stop(_("Say one thing: EDGE, --redeem TOKEN, --list, --revoke EDGE or --users."))
    if redeem or new_key:
        from gridwarden.commands import enrol_box

        if redeem:
            enrol_box.redeem(redeem, data)
        else:
            enrol_box.new_key(edge_id, data, bus, ca_file)
        return
    at = module.Core.at(data, secrets)
    if list_:
        module.show(at, as_json=as_json)
    elif revoke:
        module.revoke(at, revoke)
    elif users:
        module.show_users(at)
    elif here and secrets is not None:
        module.let_in_here(at, edge_id, data)
    elif here:
        module.run_here(at, edge_id)
    elif key:
        module.admit(at, edge_id, key)
    else:
        module.invite(at, edge_id, core or [], minutes)


CoreConfig = Annotated[Path, typer.Option("--config", "-c", help=_("The core's configuration (YAML)."))]


@command(
    help=_("Run ingest: normalise what edges send and write it to the stores. The gateway runs beside it.")
    + "\n\n"
    + _("Example: gridwarden ingest --config /etc/gridwarden/gateway.yaml"),
)
def ingest(config: CoreConfig) -> None:
    """Run ingest."""
    from gridwarden.commands import core as module

    module.run_ingest(config)


@command(
    help=_("Run the gateway: apply rules, keep cases, serve the API and the console. Ingest runs beside it.")
    + "\n\n"
    + _("Example: gridwarden gateway --config /etc/gridwarden/gateway.yaml"),
)
def gateway(config: CoreConfig) -> None:
    """Run the gateway."""
    from gridwarden.commands import core as module

    module.run_gateway(config)


@command(
    help=_(
        "Run the message bus of an installation: a NATS server with its configuration, locked and watched."
    )
    + "\n\n"
    + _("Example: gridwarden bus --store /var/lib/gridwarden/nats --secrets /var/lib/gridwarden/secrets"),
)
def bus(
    store: Annotated[Path, typer.Option(help=_("Folder of the streams."))],
    secrets: Annotated[
        Path, typer.Option(help=_("Folder of the passwords (mode 700); made when it does not exist."))
    ],
    port: Annotated[int, typer.Option(min=1, max=65535, help=_("Port of the message bus (NATS)."))] = 4222,
    mqtt_port: Annotated[
        int, typer.Option(min=0, max=65535, help=_("Port of the MQTT broker; 0: none."))
    ] = 1883,
    monitor_port: Annotated[
        int, typer.Option(min=1, max=65535, help=_("Port on which the server tells how it is."))
    ] = 8222,
    listen: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help=_("Let edges on other machines in at this address (0.0.0.0: all), with TLS."),
        ),
    ] = "",
    name: Annotated[
        list[str] | None,
        typer.Option(help=_("What edges call this machine: host or IP address; may be repeated.")),
    ] = None,
) -> None:
    """Run the message bus."""
    from gridwarden.commands import bus as module

    module.run(
        module.Options(
            store=store,
            secrets=secrets,
            port=port,
            mqtt_port=mqtt_port,
            monitor_port=monitor_port,
            listen=listen,
            names=tuple(name or ()),
        )
    )


@command(
    help=_("Check a site folder: every mistake with file, line, value and what was probably meant.")
    + "\n\n"
    + _("Example: gridwarden check /etc/gridwarden/site"),
)
def check(
    site: SiteFolder = DEFAULT_SITE,
    as_json: Annotated[bool, typer.Option("--json", help=_("For programs."))] = False,
) -> None:
    """Check a site folder."""
    from gridwarden.commands import check as module

    raise typer.Exit(module.run(site, as_json=as_json))


@command(
    help=_("Play a scenario on simulated devices, on the real wires.")
    + "\n\n"
    + _("Example: gridwarden simulate kitchen-fire --speed 10"),
)
def simulate(
    scenario: Annotated[str, typer.Argument(help=_("Name of a scenario, or a YAML file."))] = "",
    site: Annotated[Path, typer.Option(help=_("The site folder."))] = DEFAULT_SITE,
    data: DataFolder = DEFAULT_DATA,
    edge_id: Annotated[str, typer.Option("--edge", help=_("Only the devices of this edge."))] = "",
    speed: Annotated[float, typer.Option(min=0.01, max=1000, help=_("Times faster than life."))] = 1.0,
    seed: Annotated[int, typer.Option(help=_("The same seed, the same noise."))] = 2026,
    broker: Annotated[str, typer.Option(help=_("MQTT broker instead of the site's."))] = "",
    serve: Annotated[bool, typer.Option("--serve", hidden=True)] = False,
    list_: Annotated[bool, typer.Option("--list", help=_("List the scenarios."))] = False,
) -> None:
    """Play a scenario."""
    from gridwarden.commands import simulate as module

    raise typer.Exit(
        module.run(
            scenario,
            site=site,
            data=data,
            edge=edge_id,
            speed=speed,
            seed=seed,
            broker=broker,
            serve=serve,
            list_=list_,
        )
    )


@command(
    help=_("Record what devices really send: MQTT topics or the bytes of a serial line.")
    + "\n\n"
    + _("Example: gridwarden record traffic.jsonl.gz --broker mqtt://127.0.0.1:1883 --topic 'zigbee2mqtt/#'"),
)
def record(
    file: Annotated[Path, typer.Argument(help=_("File to write (JSON lines; .gz compresses)."))],
    broker: Annotated[str, typer.Option(help=_("MQTT broker to listen to."))] = "",
    topic: Annotated[list[str] | None, typer.Option(help=_("MQTT topic filter; may be repeated."))] = None,
    port: Annotated[str, typer.Option(help=_("Serial line to listen to."))] = "",
    baud: Annotated[int, typer.Option(help=_("Baud rate of the serial line."))] = 9600,
    user: Annotated[str, typer.Option(help=_("User on the broker."))] = "",
    password_file: Annotated[Path | None, typer.Option(help=_("File (mode 600) with its password."))] = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help=_("Stop after this time."))] = None,
) -> None:
    """Record real traffic."""
    from gridwarden.commands import traffic as module

    raise typer.Exit(
        module.record(
            file,
            broker=broker,
            topics=topic or [],
            port=port,
            baud=baud,
            user=user,
            password_file=password_file,
            seconds=seconds,
        )
    )


@command(
    help=_("Send recorded traffic again, byte for byte, with the same spacing.")
    + "\n\n"
    + _("Example: gridwarden replay traffic.jsonl.gz --broker mqtt://127.0.0.1:1883 --speed 5"),
)
def replay(
    file: Annotated[Path, typer.Argument(help=_("A recording."))],
    broker: Annotated[str, typer.Option(help=_("MQTT broker to send to."))] = "",
    port: Annotated[str, typer.Option(help=_("Serial line to send to."))] = "",
    baud: Annotated[int, typer.Option(help=_("Baud rate of the serial line."))] = 9600,
    user: Annotated[str, typer.Option(help=_("User on the broker."))] = "",
    password_file: Annotated[Path | None, typer.Option(help=_("File (mode 600) with its password."))] = None,
    speed: Annotated[float, typer.Option(min=0.01, max=1000, help=_("Times faster than life."))] = 1.0,
) -> None:
    """Replay recorded traffic."""
    from gridwarden.commands import traffic as module

    raise typer.Exit(
        module.replay(
            file, broker=broker, port=port, baud=baud, user=user, password_file=password_file, speed=speed
        )
    )


@command(
    help=_("Prove that the books balance: every sample taken is in exactly one place.")
    + "\n\n"
    + _("Example: gridwarden audit --watch"),
)
def audit(
    data: DataFolder = DEFAULT_DATA,
    config: ServicesConfig = None,
    watch: Annotated[bool, typer.Option("--watch", help=_("Again every two seconds."))] = False,
    as_json: Annotated[bool, typer.Option("--json", help=_("For programs."))] = False,
    rows: Annotated[int, typer.Option(min=0, help=_("Accounts to list, those in doubt first."))] = 20,
) -> None:
    """Prove that the books balance."""
    from gridwarden.commands import audit as module

    raise typer.Exit(module.run(data, config, watch=watch, as_json=as_json, rows=rows))


@command(
    help=_("Back up an installation while it runs, or check a backup.")
    + "\n\n"
    + _("Example: gridwarden backup /backups/gridwarden-monday.tar.gz"),
)
def backup(
    target: Annotated[
        Path, typer.Argument(help=_("A folder, or a file that ends in .tar, .tar.gz, .tgz; must not exist."))
    ],
    data: DataFolder = DEFAULT_DATA,
    config: ServicesConfig = None,
    with_secrets: Annotated[
        bool, typer.Option("--with-secrets", help=_("Put the passwords and the core's keys in, too."))
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help=_("Only read TARGET, a backup, and compare its checksums."))
    ] = False,
) -> None:
    """Back up."""
    from gridwarden.commands import backup as module

    if verify:
        module.verify(target)
    else:
        module.back_up(target, module.Where(data, config), with_secrets=with_secrets)


@command(
    help=_("Put a backup back into an empty place. Nothing may run there.")
    + "\n\n"
    + _("Example: gridwarden restore /backups/gridwarden-monday.tar.gz --data var"),
)
def restore(
    source: Annotated[Path, typer.Argument(help=_("The backup."))],
    data: DataFolder = DEFAULT_DATA,
    config: ServicesConfig = None,
    force: Annotated[
        bool, typer.Option("--force", help=_("Also where there is something already: it is moved aside."))
    ] = False,
) -> None:
    """Put a backup back."""
    from gridwarden.commands import backup as module

    module.put_back(source, module.Where(data, config), force=force)


@command(
    help=_("Look for what is wrong with this machine and this installation, and say how to mend it.")
    + "\n\n"
    + _("Example: gridwarden doctor"),
)
def doctor(
    data: DataFolder = DEFAULT_DATA,
    config: ServicesConfig = None,
    influx: Annotated[str, typer.Option(help=_("An InfluxDB to look at too."))] = "",
    influx_user: Annotated[str, typer.Option(envvar="GRIDWARDEN_INFLUX_USER", help=_("InfluxDB user."))] = "",
    influx_password_file: Annotated[
        Path | None,
        typer.Option(help=_("File (mode 600) with the password; or set GRIDWARDEN_INFLUX_PASSWORD.")),
    ] = None,
) -> None:
    """Look for what is wrong."""
    from gridwarden.commands import doctor as module

    raise typer.Exit(module.run(data, config, influx, influx_user, influx_password_file))


@command(
    help=_("Measure this machine: the whole path's speed, latency and memory; a table and JSON.")
    + "\n\n"
    + _("Example: gridwarden bench --seconds 20 --json bench.json"),
)
def bench(
    seconds: Annotated[float, typer.Option(min=2, max=600, help=_("Length of each measurement."))] = 15,
    only: Annotated[
        list[str] | None, typer.Option(help=_("Only these measurements; may be repeated."))
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help=_("Write the figures here."))] = None,
    profile: Annotated[bool, typer.Option("--profile", help=_("Also say where the time goes."))] = False,
) -> None:
    """Measure this machine."""
    from gridwarden.commands import bench as module

    raise typer.Exit(module.run(seconds=seconds, only=only or [], json_file=json_file, profile=profile))


@command(
    help=_("Break an installation on purpose and prove, value by value, that nothing is lost.")
    + "\n\n"
    + _("Example: gridwarden chaos kill-edge --seed 7"),
)
def chaos(
    scenarios: Annotated[list[str] | None, typer.Argument(help=_("Names of scenarios; see --list."))] = None,
    seed: Annotated[int, typer.Option(help=_("The same seed, the same plan."))] = 1,
    all_: Annotated[bool, typer.Option("--all", help=_("Every scenario."))] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help=_("Fewer blows and smaller loads, as the test suite has them."))
    ] = False,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json",
            help=_("Write the results here; those of other scenarios in it stay, and are in the report."),
        ),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help=_("Write the table and what is behind it here (Markdown)."))
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help=_("List the scenarios."))] = False,
) -> None:
    """Break an installation on purpose."""
    from gridwarden.commands import chaos as module

    raise typer.Exit(
        module.run(
            scenarios or [],
            seed=seed,
            everything=all_,
            quick=quick,
            json_file=json_file,
            report=report,
            list_=list_,
        )
    )


@command(
    help=_("Write the reference community as a site folder: a start for your own.")
    + "\n\n"
    + _("Example: gridwarden community my-site --devices 200"),
)
def community(
    folder: Annotated[Path, typer.Argument(help=_("Folder to write; must not exist or be empty."))],
    devices: Annotated[int, typer.Option(min=10, max=50_000, help=_("How many devices."))] = 2000,
    seed: Annotated[int, typer.Option(help=_("The same seed, the same community."))] = 2026,
) -> None:
    """Write the reference community."""
    from gridwarden.commands import community as module

    raise typer.Exit(module.run(folder, devices=devices, seed=seed))


def main() -> None:
    """Run the command line."""
    try:
        app(prog_name="gridwarden")
    except KeyboardInterrupt:
        say("")
        raise SystemExit(130) from None
