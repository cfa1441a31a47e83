"""``gridwarden simulate``: scenarios on simulated devices, on the real wires."""

from pathlib import Path

from gridwarden.console_text import say, stop, tell
from language import preferred
from simulators.main import Options
from simulators.main import simulate as play
from simulators.scenario import available, load_scenario


def run(
    scenario: str,
    *,
    site: Path,
    data: Path,
    edge: str,
    speed: float,
    seed: int,
    broker: str,
    serve: bool,
    list_: bool,
) -> int:
    """Play `scenario`; with `serve`, be the site's devices until stopped."""
    language = preferred().split("-")[0]
    if list_ or not scenario:
        for name in sorted(available(site / "scenarios")):
            story = load_scenario(name, site / "scenarios")
            say(f"{name:24} {story.title[language]}: {story.description[language]}")
        return 0
    if not (site / "site.yaml").exists():
        stop(tell("{site} is no site folder: name one with --site, or start with: gridwarden up", site=site))
    serial = data / "sim"
    serial.mkdir(parents=True, exist_ok=True)
    password_file = data / "run" / "secrets" / "nats-mqtt"
    options = Options(
        serial_dir=serial.resolve(),
        edge=edge or None,
        speed=speed,
        broker=broker or None,
        username="mqtt" if password_file.exists() else None,
        password_file=password_file if password_file.exists() else None,
        record=serial / "sent" if serve else None,
        seed=seed,
        control=data / "run" / "simulators.sock",
        stay=serve,
    )
    return play(site, scenario, options, language=language)
