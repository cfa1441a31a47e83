"""The bus and the site that the tests of this room share."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from ingest.bus import Bus
from registry.site import Site
from tests.ingest.world import small_site


@pytest.fixture
def site() -> Site:
    return small_site()


@pytest.fixture
async def bus(nats_server: Any) -> AsyncIterator[Bus]:
    async with await Bus.connect(nats_server.url) as connected:
        await connected.ensure_streams()
        yield connected
