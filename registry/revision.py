"""Which state of the site folder somebody works with."""

from pathlib import Path
from zlib import crc32


def revision(folder: Path) -> str:
    """A short word that changes whenever a file of the site folder does."""
    seen = 0
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            about = file.stat()
            seen = crc32(f"{file.name}:{about.st_size}:{about.st_mtime_ns}".encode(), seen)
    return f"{seen:08x}"


class FolderWatch:
    """Notices that a site folder was edited. Look at it regularly: what changes is being written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.revision = revision(folder)
        """Of the content that was taken on, or refused, last."""
        self._seen = self.revision

    def changed(self) -> bool:
        """Whether the content is another one, and the same as at the look before: nobody is writing."""
        try:
            now = revision(self._folder)
        except OSError:  # a file went while we looked
            return False
        steady, self._seen = now == self._seen, now
        return steady and now != self.revision

    def taken(self) -> None:
        """The content of the last look was taken on, or refused: it is no news any more."""
        self.revision = self._seen
