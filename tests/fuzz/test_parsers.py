"""Every parser of bytes from outside: no traceback, and what must hold holds, for all it may ever be sent."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.fuzz.bounded import HOSTILE, stands
from tests.fuzz.mutation import inputs
from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).with_name("corpus")
KNOWN = sorted(file for file in CORPUS.glob("*/*") if file.is_file())

every_target = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())


@every_target
def test_well_formed_input_is_understood(target: Target) -> None:
    for example in target.examples:
        target.check(example)


@pytest.mark.parametrize("folder", sorted({file.parent.name for file in KNOWN}))
def test_what_once_broke_it_no_longer_does(folder: str) -> None:
    once = [file.read_bytes() for file in KNOWN if file.parent.name == folder]
    assert stands(TARGETS[folder], once) == ""


@every_target
def test_anything_near_well_formed_input(target: Target) -> None:
    @settings(
        max_examples=target.runs,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(data=inputs(target))
    def run(data: bytes) -> None:
        target.check(data)

    run()


@every_target
def test_hostile_sizes_stay_within_bounds(target: Target) -> None:
    assert stands(target, [*HOSTILE, *target.hostile]) == ""
