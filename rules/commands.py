"""What operators tell the engine. Shelving, silences and maintenance are the desk's: they change no state."""

from dataclasses import dataclass

from language import Message


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Somebody has seen the alarm and takes care."""

    alarm: str
    actor: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Reset:
    """Somebody has inspected the spot and ends a latched alarm. `note` says what was found."""

    alarm: str
    actor: str
    note: str


class Refused(ValueError):
    """The command does not apply now; `message` says why. Nothing has changed."""

    def __init__(self, message: Message) -> None:
        self.message = message
        super().__init__(str(message))
