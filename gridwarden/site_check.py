"""A site folder checked by everybody who will use it: registry, rules, and the edges' drivers."""

from pathlib import Path

from edge.drivers import DRIVERS
from edge.installation import check_connections, check_settings
from gateway.configuration import Configuration, load_configuration
from registry.wiring import load_wiring


def check_site(folder: Path) -> Configuration:
    """The configuration in `folder` with every problem, the settings of its connections included."""
    configuration = load_configuration(folder, DRIVERS)
    if configuration.site is None:
        return configuration.with_problems(check_settings(configuration.edges))
    wirings = (load_wiring(folder, edge, drivers=DRIVERS).wiring for edge in configuration.site.edges)
    return configuration.with_problems(
        [problem for wiring in wirings if wiring is not None for problem in check_connections(folder, wiring)]
    )
