"""How far a service has come, and what it is waiting for: what the system page is told."""

from dataclasses import dataclass

from language import Message


@dataclass
class Progress:
    """One lane of one service."""

    batches: int = 0
    readings: int = 0
    quarantined: int = 0
    duplicates: int = 0
    expired: int = 0
    """Readings let go unstored because there was no room to keep them for so long."""
    last: int = 0
    """When something was finished last, ns since 1970 UTC."""
    problem: Message | None = None
    """Why it is waiting and trying again; None when all is well."""
