"""How the platform itself is doing."""

from gateway.api import schemas
from gateway.api.views.context import Context, unavailable
from gateway.status import Status
from ingest.stores import StoreUnavailable
from language import translator


class SystemViews:
    """Health, queues, books."""

    def __init__(self, context: Context, status: Status) -> None:
        self._context = context
        self._status = status

    async def show(self, language: str) -> schemas.SystemOut:
        """The system page."""
        return await self._status.system(self._context.site, translator(language), self._context.clock())

    async def health(self, language: str) -> schemas.HealthOut:
        """For a watchdog."""
        return self._status.health(translator(language))

    async def books(self, limit: int, language: str) -> schemas.BooksOut:
        """The books."""
        try:
            return await self._status.books(limit, translator(language), self._context.clock())
        except StoreUnavailable as error:
            raise unavailable(error) from error
