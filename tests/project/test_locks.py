"""What is installed on top of an installation is of the version that the tests run with."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def pins(lock: str) -> set[str]:
    return set(re.findall(r"^\S+==\S+", (ROOT / lock).read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-parquet.lock"])
def test_the_tests_run_with_what_is_installed(lock: str) -> None:
    assert pins(lock)
    assert pins(lock) <= pins("requirements-dev.lock")
