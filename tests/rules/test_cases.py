"""The scenarios of the specification, as data: see conftest.py for the format of a case."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CASES = sorted(folder for folder in (Path(__file__).parent / "cases").iterdir() if folder.is_dir())


@pytest.mark.parametrize("restarts", [False, True], ids=["straight", "restarted"])
@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_the_story_ends_as_the_specification_says(
    folder: Path, restarts: bool, tell: Callable[..., tuple[list[Any], list[Any]]]
) -> None:
    found, expected = tell(folder, restarts=restarts)
    assert found == expected
