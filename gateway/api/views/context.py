"""What every group of views shares: the site as shown, the stores to ask, the clock."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from cases.case import Actor, actor_of
from cases.store import BadCursor, OperationsStore, StoreUnavailable
from gateway.api.problems import ApiError, Conflict, NotFound, Unavailable
from gateway.api.showing import Showing
from gateway.freshness import Freshness
from ingest.stores import History
from ingest.stores import StoreUnavailable as ReadingsUnavailable
from language import N_, Message
from registry.devices import Device
from registry.site import Site

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Paging:
    """Which part of a list."""

    after: str
    limit: int


@dataclass(slots=True)
class Context:
    """Shared by all views. `showing` is replaced when the site changes."""

    showing: Showing
    store: OperationsStore
    readings: History
    freshness: Freshness
    clock: Callable[[], int]

    @property
    def site(self) -> Site:
        """The site as it is now."""
        return self.showing.site

    def device(self, device_id: str) -> Device:
        """A device of the site; raises `NotFound`."""
        device = self.site.devices.get(device_id)
        if device is None:
            raise NotFound(f"device {device_id}")
        return device

    def actor(self, person_id: str) -> Actor:
        """A person of the site as an actor; raises `Conflict`."""
        person = self.site.people.get(person_id)
        if person is None:
            raise Conflict(Message(N_("There is no person {person} in this site."), {"person": person_id}))
        grids = tuple(grid.id for grid in self.site.grids.values() if grid.officer == person_id)
        return actor_of(person, grids)

    async def history(self, question: Coroutine[Any, Any, Answer]) -> Answer:
        """What the store of readings answers; raises `Unavailable`."""
        try:
            return await question
        except ReadingsUnavailable as error:
            raise unavailable(error) from error

    async def ask(self, question: Callable[[], Answer]) -> Answer:
        """What a database answers, asked in a thread; raises `Unavailable`, `ApiError` for a bad `after`."""
        try:
            return await asyncio.to_thread(question)
        except BadCursor as error:
            raise bad_page() from error
        except StoreUnavailable as error:
            raise unavailable(error) from error


def bad_page() -> ApiError:
    """The problem document's exception for an `after` that no page gave out."""
    return ApiError(Message(N_("`after` is not the `next` of a page of this list.")))


def unavailable(error: Exception) -> Unavailable:
    """The problem document's exception for a database that does not answer."""
    message = Message(N_("The database does not answer just now: {reason}"), {"reason": str(error)})
    return Unavailable(message)


def ingest_silent(error: Exception) -> Unavailable:
    """The problem document's exception for an ingest process that does not answer."""
    return Unavailable(Message(N_("The ingest process does not answer: {reason}"), {"reason": error}))
