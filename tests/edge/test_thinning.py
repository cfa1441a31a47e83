"""What stays of telemetry when there is no room for all of it."""

import math

from hypothesis import given
from hypothesis import strategies as st

from edge.thinning import SECOND, Thinning
from readings import Sample

MINUTE = 60 * SECOND


def thinned(samples: list[Sample], span: int = MINUTE) -> list[Sample]:
    thinning = Thinning(span)
    for at in range(0, len(samples), 7):  # in pieces, as rows of the outbox hold them
        thinning.look(samples[at : at + 7])
    assert thinning.seen == len(samples)
    return [samples[position] for position in sorted(thinning.staying())]


def curve(*values: float | str | bool, source: str = "a/1", start: int = 0) -> list[Sample]:
    return [Sample(source, "t", value, start + n * SECOND) for n, value in enumerate(values)]


def test_first_last_smallest_and_largest_of_a_minute_stay_in_their_order():
    samples = curve(20, 21, 19.5, 20.5, 26, 20, 22)
    assert [sample.value for sample in thinned(samples)] == [20, 19.5, 26, 22]


def test_of_equal_extremes_the_first_stays():
    assert [sample.taken // SECOND for sample in thinned(curve(5, 9, 9, 1, 1, 5))] == [0, 1, 3, 5]


def test_each_minute_and_each_device_has_its_own():
    samples = curve(1, 2, 3) + curve(7, 8, 9, source="a/2") + curve(4, 5, 6, start=MINUTE)
    assert [sample.value for sample in thinned(samples)] == [1, 3, 7, 9, 4, 6]


def test_words_switches_and_values_that_are_no_numbers_are_series_of_their_own():
    samples = curve(1.0, "heat", math.nan, 2.0, "cool", True, math.nan, 3.0, False)
    kept = [str(sample.value) for sample in thinned(samples)]
    assert kept == ["1.0", "heat", "nan", "cool", "True", "nan", "3.0", "False"]


def test_every_occurrence_stays():
    samples = [Sample("cam/1", "score", 0.5, n * SECOND, event=f"event-{n}") for n in range(30)]
    assert thinned(samples) == samples


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b"]),
            st.one_of(st.floats(), st.booleans(), st.integers(-5, 5), st.sampled_from("xyz")),
            st.integers(0, 3 * MINUTE),
        )
    )
)
def test_whatever_comes_nothing_is_invented_and_thinning_twice_changes_nothing(raw):
    samples = [Sample(source, "p", value, taken) for source, value, taken in raw]
    once = thinned(samples)
    assert [id(sample) for sample in once] == [id(s) for s in samples if any(s is kept for kept in once)]
    assert [id(sample) for sample in thinned(once)] == [id(sample) for sample in once]
    for span in {sample.taken // MINUTE for sample in samples}:
        numbers = [s.value for s in samples if s.taken // MINUTE == span and type(s.value) in (int, float)]
        kept = [s.value for s in once if s.taken // MINUTE == span and type(s.value) in (int, float)]
        finite = [value for value in numbers if value == value]
        if finite:
            still = [value for value in kept if value == value]
            assert (min(finite), max(finite)) == (min(still), max(still))
