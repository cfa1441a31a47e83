"""Taking on an edited site folder while everything runs.

Both processes of the core look for themselves. What does not load changes nothing: the old site stays in
force, and the reason is told until the folder is mended.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

import structlog

from language import N_, Message
from registry.problems import Problem
from registry.revision import FolderWatch

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 1.0

Take = Callable[[], Awaitable[Sequence[Problem]]]
"""Loads the folder and takes it on; the errors for which it was refused."""


class SiteFolder:
    """The site folder of a running process."""

    def __init__(self, folder: Path) -> None:
        self._watch = FolderWatch(folder)
        self.revision = self._watch.revision
        """Of the content that is in force."""
        self.refused: Message | None = None
        """Why the folder's present content is not."""

    async def run(self, take: Take) -> None:
        """Look for edits and have them taken on, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if await asyncio.to_thread(self._watch.changed):
                await self._reload(take)

    async def _reload(self, take: Take) -> None:
        problems = await take()
        self._watch.taken()
        if problems:
            first, more = problems[0], len(problems) - 1
            several = N_(
                "the edited folder has errors, the old one stays in force: {first} (and {more} more)"
            )
            alone = N_("the edited folder has an error, the old one stays in force: {first}")
            self.refused = Message(
                several if more else alone, {"first": first.told(first.short), "more": more}
            )
            log.warning("edited site folder refused", problems=[str(problem) for problem in problems[:20]])
        else:
            self.refused, self.revision = None, self._watch.revision
            log.warning("edited site folder taken on", revision=self.revision)
