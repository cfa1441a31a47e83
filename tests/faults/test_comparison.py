"""The comparison finds what it must find: one value, whichever way it went wrong."""

from chaos.comparison import Comparison, Kept, Told, compare

SECOND = 1_000_000_000


def told(*values: float, heard: bool = True, times: int = 1) -> list[Told]:
    return [Told(0, value, heard, times) for value in values]


def kept(*values: float) -> list[Kept]:
    return [Kept(number * SECOND, value) for number, value in enumerate(values, start=1)]


def numbers(found: Comparison) -> tuple[int, int, int]:
    return found.lost, found.twice, found.invented


def test_everything_said_is_stored_once():
    found = compare("t", told(1.0, 2.0, 3.0), kept(1.0, 2.0, 3.0))
    assert found.clean
    assert (found.sent, found.stored) == (3, 3)


def test_an_acknowledged_value_that_is_missing_is_lost():
    found = compare("t", told(1.0, 2.0, 3.0), kept(1.0, 3.0))
    assert numbers(found) == (1, 0, 0)
    assert "2.0" in found.examples[0]


def test_a_value_stored_once_more_than_it_was_said_is_twice():
    assert numbers(compare("t", told(1.0, 2.0), kept(1.0, 2.0, 2.0))) == (0, 1, 0)
    assert compare("t", told(1.0, 2.0, times=2), kept(1.0, 2.0, 2.0)).clean


def test_a_value_that_nobody_said_is_invented():
    assert numbers(compare("t", told(1.0), kept(1.0, 9.0))) == (0, 0, 1)


def test_what_was_never_acknowledged_may_be_stored_or_not():
    assert compare("t", told(1.0, heard=False), kept(1.0)).clean
    assert compare("t", told(1.0, heard=False), kept()).clean
    assert compare("t", told(1.0, heard=False), kept()).doubtful == 1


def test_a_value_with_its_own_time_must_be_stored_at_that_time():
    said = [Told(5 * SECOND, True, heard=True), Told(6 * SECOND, False, heard=True)]
    assert compare("t", said, [Kept(5 * SECOND, True), Kept(6 * SECOND, False)]).clean
    moved = compare("t", said, [Kept(5 * SECOND, True), Kept(7 * SECOND, False)])
    assert (moved.lost, moved.twice + moved.invented) == (1, 1)
    changed = compare("t", said, [Kept(5 * SECOND, True), Kept(6 * SECOND, True)])
    assert (changed.lost, changed.twice + changed.invented) == (1, 1)
    again = compare("t", said, [Kept(5 * SECOND, True), Kept(5 * SECOND + 1, True), Kept(6 * SECOND, False)])
    assert numbers(again) == (0, 1, 0)


def test_a_value_in_quarantine_is_accounted_for_once():
    found = compare("t", told(1.0, 2.0), kept(1.0), quarantined=[Kept(0, 2.0)])
    assert (found.clean, found.quarantined) == (True, 1)
    assert compare("t", told(2.0, 3.0), kept(), quarantined=[Kept(0, 2.0)]).lost == 1


def test_no_more_may_be_missing_than_an_edge_says_that_it_thinned():
    assert compare("t", told(1.0, 2.0, 3.0), kept(3.0), thinned=2).clean
    assert compare("t", told(1.0, 2.0, 3.0), kept(3.0), thinned=1).lost == 1


def test_what_an_edge_says_that_it_gave_up_is_accounted_for_up_to_that_number():
    found = compare("t", told(1.0, 2.0, 3.0), kept(1.0), thinned=1)
    assert (found.thinned, found.lost) == (1, 1)
    found = compare("t", told(1.0, 2.0, 3.0), kept(1.0), thinned=1, reported=1)
    assert (found.thinned, found.reported, found.lost) == (1, 1, 0)
    found = compare("t", told(1.0), kept(1.0), thinned=5, reported=5)
    assert (found.thinned, found.reported) == (0, 0), "what is there was not given up"
