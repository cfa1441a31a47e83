"""``gridwarden community``: the reference community as a site folder to start from."""

from pathlib import Path

from gridwarden.console_text import say, stop, tell
from simulators.community import write_community


def run(folder: Path, *, devices: int, seed: int) -> int:
    """Write the community into `folder`, which must be new or empty."""
    if folder.exists() and any(folder.iterdir()):
        stop(tell("{folder} is not empty: nothing was written. Name a new folder.", folder=folder))
    summary = write_community(
        folder, devices=devices, seed=seed, broker_url="mqtt://127.0.0.1:1883", serial_dir="/dev"
    )
    say(
        tell(
            "{folder}: {grids} grids, {places} places, {devices} devices. Next: gridwarden check {folder}",
            folder=folder,
            grids=summary.grids,
            places=summary.places,
            devices=sum(summary.devices.values()),
        )
    )
    return 0
