"""Whatever breaks, every acknowledged value is stored, and none is stored twice."""

import pytest

SCENARIOS = ("kill-all", "cut")
"""The others take longer: ``gridwarden chaos --all``."""


@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_is_lost_and_nothing_counts_twice(played, name):
    outcome = played(name)
    assert outcome.faults == []
    assert outcome.sent > 1_000
    assert (outcome.lost, outcome.twice, outcome.invented) == (0, 0, 0)
