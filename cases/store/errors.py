"""What can go wrong with the operations database, by what the caller does next."""

from language import Message


class StoreUnavailable(Exception):
    """The database cannot be reached or written now (locked, disk full, server away). Keep and retry."""


class DatabaseInUse(StoreUnavailable):
    """Another process writes the database; `message` says which."""

    def __init__(self, message: Message) -> None:
        self.message = message
        super().__init__(str(message))


class CommitUnknown(Exception):
    """The server went away during a commit, and nobody can say whether it was made.

    Neither retry nor acknowledge: end, and begin anew from what is committed.
    """


class DatabaseTooNew(Exception):
    """A newer program has written the database. Stop; `message` says what to do."""

    def __init__(self, message: Message) -> None:
        self.message = message
        super().__init__(str(message))


class BadAddress(ValueError):
    """A database must not be used at this address, or it is none; `message` says why, without a password."""

    def __init__(self, message: Message) -> None:
        self.message = message
        super().__init__(str(message))
