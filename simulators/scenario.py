"""Scenarios: what happens when, to whom, as YAML.

.. code-block:: yaml

    title: {zh: 厨房起火, en: Kitchen fire}
    actors:
      kitchen: {device_class: smoke, place: ["*kitchen*", "*厨房*"]}
      corridor: {device_class: smoke, same: [{fire_zone: kitchen}, {building: kitchen}]}
    steps:
      - {at: 5s, device: kitchen, set: {smoke: true}, say: {zh: 冒烟, en: smoke}}
      - {at: 20s, device: kitchen, set: {temperature: {from: 22, to: 78, over: 60s}}}

This module is the shape and the loading; `casting` chooses devices, `timeline` puts steps in order.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from language import N_, Message
from readings import Scalar
from registry.model import Invalid, Model, Text
from registry.problems import InvalidConfiguration, Part, Problem, did_you_mean, dotted
from registry.reading_files import Document, is_file, read_yaml
from registry.validation import problems_from_pydantic

SHIPPED: Final = Path(__file__).with_name("scenarios")
"""The folder of the scenarios that come with GridWarden."""

_PART: Final = re.compile(r"(\d{1,12}(?:\.\d{1,12})?)\s*(ms|s|m|h)\s*", re.ASCII)
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def _seconds(value: object) -> object:
    if not isinstance(value, str):
        return value
    total, at = 0.0, 0
    while part := _PART.match(value, at):
        total += float(part[1]) * _UNITS[part[2]]
        at = part.end()
    if at != len(value) or not value:
        raise Invalid(N_("`{text}` is no time; write 0s, 500ms, 90s or 1m 30s"), text=value)
    return total


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str | dict) else value


Seconds = Annotated[float, BeforeValidator(_seconds), Field(ge=0, le=366 * 86_400)]
"""A moment or a length of the story: ``500ms``, ``90s``, ``1m 30s``, or a number of seconds."""

Patterns = Annotated[tuple[str, ...], BeforeValidator(_listed)]
"""One pattern with ``*`` or several."""

Neighbour = dict[
    Literal["place", "fire_zone", "floor", "unit", "building", "grid", "edge", "connection"], str
]


class Selector(Model):
    """How a device is chosen for an actor."""

    device: str = Field("", description="Exactly this device id.")
    device_class: Patterns = Field((), description="smoke, environment, door, camera …")
    type: Patterns = Field((), description="Ids of device types.")
    points: Patterns = Field((), description="Canonical points its type must have.")
    place: Patterns = Field(
        (), description="Where it hangs, best first: matched with the place's id, names, building and unit."
    )
    fire_zone: Patterns = ()
    building: Patterns = ()
    grid: Patterns = Field((), description="Ids of level-3 grids.")
    edge: Patterns = ()
    connection: Patterns = ()
    same: Annotated[tuple[Neighbour, ...], BeforeValidator(_listed)] = Field(
        (), description="Near another actor, best first: `{fire_zone: kitchen}`."
    )
    count: int = Field(1, ge=1, le=1000, description="How many devices play this actor together.")
    optional: bool = Field(False, description="The scenario also works without.")


class Ramp(Model):
    """A value that moves evenly."""

    begin: float | None = Field(None, alias="from", description="Where it starts; default: where it is.")
    to: float
    over: Seconds = Field(gt=0, description="How long it takes.")
    every: Seconds = Field(2.0, gt=0, description="How often the device says where it is.")


class Occurrence(Model):
    """An event: what a camera saw, or what happened at a door."""

    word: str = Field(description="person, car, fire, smoke; or granted, denied, forced_open …")
    score: float = Field(0.86, ge=0, le=1, description="How sure the camera is in the end.")
    zones: Patterns = Field((), description="The camera's zones that it enters.")
    lasts: Seconds = Field(10.0, gt=0, alias="for", description="How long it is in the picture.")


class Repeat(Model):
    """The step again and again."""

    every: Seconds = Field(gt=0)
    times: int | None = Field(None, ge=1, description="How often in all; default: for ever.")


class Rate(Model):
    """A device that talks fast."""

    readings: float = Field(gt=0, le=5000, description="Values a second, all its points together.")
    lasts: Seconds = Field(gt=0, alias="for")


def _occurrence(value: object) -> object:
    return {"word": value} if isinstance(value, str) else value


class Step(Model):
    """One thing that happens, once or repeatedly."""

    at: Seconds = Field(description="When, from the scenario's begin.")
    device: str = Field("", description="An actor, or the id of a device.")
    values: dict[str, Ramp | Scalar] = Field({}, alias="set", description="Point → value, or a ramp.")
    event: Annotated[Occurrence | None, BeforeValidator(_occurrence)] = None
    fault: Literal["none", "silent", "wrong_crc", "half_frame", "slow", "bit_flips", "rubbish"] | None = (
        Field(None, description="How it misbehaves from now on; `none`: well again.")
    )
    release: bool = Field(False, description="Back to its quiet life, and well again.")
    rate: Rate | None = None
    play: Patterns = Field((), description="Other scenarios; when repeated, in turn.")
    elsewhere: bool = Field(False, description="Play them with other devices each time.")
    repeat: Repeat | None = None
    say: Text = Field({}, description="What the person watching is told; default: what is done.")

    @model_validator(mode="after")
    def _does_one_thing(self) -> "Step":
        done = [bool(self.values), self.event is not None, self.fault is not None, self.release]
        done += [self.rate is not None, bool(self.play)]
        if sum(done) != 1:
            raise Invalid(N_("a step does exactly one of: set, event, fault, release, rate, play"))
        if bool(self.device) is bool(self.play):
            raise Invalid(N_("a step needs a `device`, unless it plays another scenario"))
        return self


class Scenario(Model):
    """A story with a beginning and, mostly, an end."""

    id: str = Field("", description="The file's name; not written in the file.")
    title: Text
    description: Text = Field({}, description="What happens, in a sentence or two.")
    actors: dict[str, Selector] = Field({}, description="Who plays, by role.")
    steps: tuple[Step, ...] = ()
    ends: Seconds | None = Field(
        None, description="When all devices go back to their quiet life; default: 30 s after the last step."
    )

    def length(self) -> float | None:
        """Seconds until it is over; None when a step repeats for ever."""
        last = 0.0
        for step in self.steps:
            if step.repeat is not None and step.repeat.times is None:
                return None
            again = step.repeat.every * ((step.repeat.times or 1) - 1) if step.repeat else 0.0
            last = max(last, step.at + again + _duration(step))
        return self.ends if self.ends is not None else last + 30.0 if self.steps else 0.0


def _duration(step: Step) -> float:
    lengths = [value.over for value in step.values.values() if isinstance(value, Ramp)]
    lengths += [step.event.lasts] if step.event else []
    lengths += [step.rate.lasts] if step.rate else []
    return max(lengths, default=0.0)


def available(folder: Path | None = None) -> dict[str, Path]:
    """The scenarios there are, by id: the shipped ones, and those of `folder` (which win)."""
    files = sorted(SHIPPED.glob("*.yaml")) + (sorted(folder.glob("*.yaml")) if folder else [])
    return {file.stem: file for file in files}


def load_scenario(name: str | Path, folder: Path | None = None) -> Scenario:
    """The scenario called `name`, or in the file `name`; raises `InvalidConfiguration`."""
    known = available(folder)
    path = known.get(str(name)) or Path(name)
    if str(name) not in known and not is_file(path):
        message = Message(N_("there is no scenario `{name}`"), {"name": str(name)})
        raise InvalidConfiguration(
            [Problem(path, 1, None, "", str(name), message, did_you_mean(str(name), known))]
        )
    document = read_yaml(path)
    problems = list(document.problems)
    try:
        scenario = Scenario.model_validate(document.data).model_copy(update={"id": path.stem})
    except ValidationError as error:
        found = problems_from_pydantic(document, error, path, model=Scenario)
        raise InvalidConfiguration([*problems, *found]) from error
    problems += _unknown_names(scenario, document, path, known)
    if problems:
        raise InvalidConfiguration(problems)
    return scenario


def _unknown_names(
    scenario: Scenario, document: Document, path: Path, known: Mapping[str, Path]
) -> list[Problem]:
    """Steps that play a scenario, and actors that stand beside an actor, which do not exist."""
    problems = []

    def report(where: tuple[Part, ...], name: str, message: Message, names: Iterable[str]) -> None:
        line, column = document.position(where)
        problems.append(Problem(path, line, column, dotted(where), name, message, did_you_mean(name, names)))

    for index, step in enumerate(scenario.steps):
        for name in step.play:
            if name not in known or name == scenario.id:
                text = Message(N_("there is no scenario `{name}`"), {"name": name})
                report(("steps", index, "play"), name, text, known.keys() - {scenario.id})
    earlier: list[str] = []
    for actor, selector in scenario.actors.items():
        for other in (other for near in selector.same for other in near.values()):
            if other not in earlier:
                text = Message(N_("there is no actor `{name}` before this one"), {"name": other})
                report(("actors", actor, "same"), other, text, earlier)
        earlier.append(actor)
    return problems
