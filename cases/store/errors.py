"""What can go wrong with the operations database, by what the caller does next."""

from language import Message


class StoreUnavailable(Exception):
    """The database cannot be reached or written now (locked, disk full, server away). Keep and retry."""


class DatabaseInUse(StoreUnavailable):
    """Another process writes the database; `message` says which."""

    def __init__(self, message: Message) -> None:
        self.message = message
        super().__init__(str(message))


class CommitInDoubt(StoreUnavailable):
    """The server went away during a commit, and cannot say yet whether it was made.

    Whoever would do the same again asks first: `OperationsStore.was_committed` with the `ticket`.
    """

    def __init__(self, reason: str, ticket: int) -> None:
        self.ticket = ticket
        super().__init__(reason)


class WrittenElsewhere(Exception):
    """While this process had no connection, another one has written: what it has in memory is out of date.

    End, and begin anew from what is committed.
    """


class DatabaseTooNew(Exception):
    """A newer program has written the database. Stop; `message` says what to do."""

    def __init__(self, message: Message) -> None:
        self.message = message
        super().__init__(str(message))
