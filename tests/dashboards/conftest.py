"""A real InfluxDB 1.6.7 that holds a day of the reference community."""

import time
from collections.abc import Iterator

import pytest

from tests.dashboards.day_in_influx import Told, told_day


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """The day that ends now."""
    with told_day(tmp_path_factory.mktemp("day"), time.time_ns()) as told:
        yield told
