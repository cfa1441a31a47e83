"""What samples become, and what becomes of those that cannot be used."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.clocks import DAY
from ingest.normaliser import Normalised, Normaliser
from ingest.quarantine import Reason
from ingest.series_marks import REMEMBERED, Marks
from readings import Lane, Quality, Reading, ReadingBatch, Sample, SampleBatch, wire
from registry.site import Site
from tests.ingest.world import NOW, SECOND, batch, device, sample, small_site


@pytest.fixture
def normaliser(site: Site) -> Normaliser:
    return fresh(site)


def fresh(site: Site) -> Normaliser:
    return Normaliser(site, {lane: Marks() for lane in Lane})


def run(normaliser: Normaliser, *samples: Sample, seq: int = 1, received: int = NOW + SECOND) -> Normalised:
    return normaliser.normalise(batch(seq, samples), received)


def values(done: Normalised) -> list[object]:
    return [reading.value for reading in done.batch.readings]


def test_numbers_become_floats_in_the_canonical_unit(normaliser: Normaliser) -> None:
    done = run(
        normaliser,
        sample("smoke-1", "battery", 87),
        sample("smoke-1", "voltage", "3075"),
        sample("climate-1", "temperature", 68, unit="[degF]"),
    )
    assert values(done) == [87.0, 3.075, pytest.approx(20.0)]
    assert all(type(value) is float for value in values(done))


@pytest.mark.parametrize(
    ("point", "wire_value", "meaning"),
    [
        ("contact", True, False),
        ("contact", False, True),
        ("contact", "ON", False),
        ("contact", 0, True),
        ("lock", "unlock", True),
        ("lock", 2, True),
        ("lock", "LOCK", False),
        ("lock", 1, False),
    ],
)
def test_switches_have_canonical_polarity(
    normaliser: Normaliser, point: str, wire_value: object, meaning: bool
) -> None:
    done = run(normaliser, sample("door-1", point, wire_value))  # type: ignore[arg-type]
    assert values(done) == [meaning]


@pytest.mark.parametrize(
    ("source", "point", "value", "expected"),
    [
        ("smoke-1", "battery", True, "expected a number, got the switch value"),
        ("smoke-1", "battery", "full", "expected a number, got the word"),
        ("smoke-1", "battery", "1_000", "expected a number"),
        ("smoke-1", "smoke", "unavailable", "expected on or off"),
        ("smoke-1", "smoke", 7, "expected on or off"),
        ("smoke-1", "smoke", math.nan, "expected on or off"),
        ("door-1", "lock", "unknown", "expected on or off"),
        ("climate-1", "mode", "boil", "expected one of 0, 1, cool"),
        ("door-1", "action", True, "expected an event's name"),
        ("door-1", "action", "x" * 5000, "got 5000 characters"),
    ],
)
def test_an_unusable_value_is_kept_with_what_was_expected(
    normaliser: Normaliser, source: str, point: str, value: object, expected: str
) -> None:
    done = run(normaliser, sample(source, point, value))  # type: ignore[arg-type]
    (entry,) = done.quarantined
    assert not done.batch.readings
    assert (entry.reason, entry.samples) == (Reason.UNUSABLE_VALUE, 1)
    assert expected in str(entry.detail)
    (kept,) = wire.decode_samples(entry.raw).samples
    assert repr(kept.value) == repr(value)


def test_states_become_canonical_words(normaliser: Normaliser) -> None:
    done = run(
        normaliser,
        sample("climate-1", "mode", 1, NOW),
        sample("climate-1", "mode", 0.0, NOW + 1),
        sample("climate-1", "mode", "COOL", NOW + 2),
        sample("climate-1", "mode", "heat", NOW + 3),
    )
    assert values(done) == ["heat", "off", "cool", "heat"]


def test_unknown_things_are_kept_with_the_reason(normaliser: Normaliser) -> None:
    done = run(
        normaliser,
        sample("nobody", "smoke", value=True),
        sample("smoke-1", "colour", 3),
        sample("smoke-1", "voltage", 3, unit="[degF]"),
        sample("gate", "!malformed", "@@\x00", event="checksum"),
        sample("nobody", "smoke", value=False),
    )
    assert [(entry.reason, entry.source, entry.samples) for entry in done.quarantined] == [
        (Reason.UNKNOWN_DEVICE, "z2m/nobody", 2),
        (Reason.UNKNOWN_POINT, "z2m/smoke-1", 1),
        (Reason.UNKNOWN_UNIT, "z2m/smoke-1", 1),
        (Reason.MALFORMED, "z2m/gate", 1),
    ]
    assert str(done.quarantined[3].detail) == "not understood by the edge: checksum"


def test_an_implausible_value_is_marked_and_kept(normaliser: Normaliser) -> None:
    done = run(
        normaliser,
        sample("smoke-1", "battery", 101),
        sample("climate-1", "temperature", float("nan")),
        sample("climate-1", "humidity", "-inf"),
    )
    assert [reading.quality for reading in done.batch.readings] == [
        Quality.OUT_OF_RANGE,
        Quality.NOT_A_NUMBER,
        Quality.NOT_A_NUMBER,
    ]
    assert math.isnan(done.batch.readings[1].value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("time", "taken", "expected", "suspect"),
    [
        (0, NOW, NOW, False),
        (NOW - 3600 * SECOND, NOW, NOW - 3600 * SECOND, False),
        (NOW + 20 * SECOND, NOW, NOW + 20 * SECOND, False),
        (NOW + DAY, NOW, NOW, True),
        (1, NOW, NOW, True),
        (NOW - 400 * DAY, NOW, NOW, True),
        (0, 5 * SECOND, NOW + SECOND, True),
        (0, NOW + DAY, NOW + SECOND, True),
        (NOW - SECOND, 5 * SECOND, NOW - SECOND, False),
        (-5, NOW, NOW, True),
    ],
)
def test_the_first_plausible_clock_gives_the_time(
    normaliser: Normaliser, time: int, taken: int, expected: int, suspect: bool
) -> None:
    (reading,) = run(normaliser, sample("smoke-1", "battery", 1, taken, time=time)).batch.readings
    assert reading.time == expected
    assert bool(reading.quality & Quality.CLOCK_SUSPECT) is suspect


def test_an_edge_that_starts_in_1970_still_spaces_its_samples(normaliser: Normaliser) -> None:
    done = run(normaliser, *(sample("smoke-1", "battery", 50, second * SECOND) for second in (1, 2, 5)))
    assert [reading.time for reading in done.batch.readings] == [
        NOW - 3 * SECOND,
        NOW - 2 * SECOND,
        NOW + SECOND,
    ]


def test_the_same_sample_again_is_a_duplicate(normaliser: Normaliser) -> None:
    one = sample("smoke-1", "battery", 50, NOW + 5, time=NOW)
    again = sample("smoke-1", "battery", 50, NOW + 900, time=NOW)
    first, second = run(normaliser, one), run(normaliser, again, seq=2)
    assert len(first.batch.readings) == 1
    assert not second.batch.readings
    assert [(count.outcome, count.n) for count in second.counts] == [("duplicate", 1)]


def test_a_repeated_nan_is_a_duplicate_too(normaliser: Normaliser) -> None:
    nan = float("nan")
    done = run(normaliser, sample("smoke-1", "battery", nan), sample("smoke-1", "battery", "nan"))
    assert len(done.batch.readings) == 1


def test_another_value_at_the_same_time_moves_on_by_a_nanosecond(normaliser: Normaliser) -> None:
    samples = [sample("smoke-1", "battery", value, time=NOW) for value in (1, 2, 3, 2, 1)]
    done = run(normaliser, *samples)
    assert [(reading.time, reading.value) for reading in done.batch.readings] == [
        (NOW, 1.0),
        (NOW + 1, 2.0),
        (NOW + 2, 3.0),
    ]


def test_two_occurrences_at_one_time_are_two_readings(normaliser: Normaliser) -> None:
    done = run(
        normaliser,
        sample("door-1", "action", "granted", event="a"),
        sample("door-1", "action", "granted", event="b"),
        sample("door-1", "action", "granted", event="a"),
    )
    assert [reading.event for reading in done.batch.readings] == ["a", "b"]


def test_an_older_reading_is_late_and_kept(normaliser: Normaliser) -> None:
    run(normaliser, sample("smoke-1", "battery", 50, NOW))
    done = run(normaliser, sample("smoke-1", "battery", 51, NOW - SECOND), seq=2)
    (reading,) = done.batch.readings
    assert reading.quality == Quality.LATE


def test_a_late_redelivery_is_recognised(normaliser: Normaliser) -> None:
    for n in range(REMEMBERED):
        run(normaliser, sample("smoke-1", "battery", n, NOW + n), seq=n + 1)
    done = run(normaliser, sample("smoke-1", "battery", 0, NOW), seq=99)
    assert not done.batch.readings


def test_a_new_site_counts_from_the_next_batch(normaliser: Normaliser, site: Site) -> None:
    assert run(normaliser, sample("new", "battery", 5)).quarantined
    more = Site.of(types=site.types.values(), devices=[*site.devices.values(), device("new", "z2m-smoke")])
    normaliser.set_site(more)
    assert values(run(normaliser, sample("new", "battery", 5), seq=2)) == [5.0]


SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(),
    st.text(max_size=30),
    st.sampled_from(["ON", "off", "heat", "nan", "1e5", "open", "unavailable"]),
)
SAMPLES = st.builds(
    Sample,
    source=st.sampled_from(["z2m/smoke-1", "z2m/climate-1", "z2m/door-1", "z2m/nobody"]),
    point=st.sampled_from(
        ["smoke", "battery", "temperature", "mode", "contact", "lock", "action", "!malformed"]
    ),
    value=SCALARS,
    taken=st.one_of(st.integers(NOW - 50, NOW + 50), st.integers(-(2**63), 2**64 - 1)),
    time=st.one_of(st.just(0), st.integers(NOW - 50, NOW + 50), st.integers(-(2**63), 2**64 - 1)),
    unit=st.sampled_from(["", "[degF]", "mV", "furlong"]),
    event=st.sampled_from(["", "e1"]),
)


@given(st.lists(SAMPLES, max_size=40))
def test_every_sample_has_exactly_one_outcome(samples: list[Sample]) -> None:
    done = run(fresh(small_site()), *samples)
    by_outcome = {"passed": 0, "quarantined": 0, "duplicate": 0}
    for count in done.counts:
        by_outcome[count.outcome] += count.n
    assert sum(by_outcome.values()) == len(samples)
    assert by_outcome["passed"] == len(done.batch.readings)
    assert by_outcome["quarantined"] == sum(entry.samples for entry in done.quarantined)
    assert all(0 < entry.first <= entry.last <= NOW + 40 * SECOND for entry in done.quarantined)


@given(st.lists(st.lists(SAMPLES, max_size=10), max_size=5))
def test_times_of_a_series_never_collide_and_are_plausible(batches: list[list[Sample]]) -> None:
    normaliser = fresh(small_site())
    seen = set()
    for seq, samples in enumerate(batches, 1):
        for reading in run(normaliser, *samples, seq=seq).batch.readings:
            key = (reading.device, reading.point, reading.time)
            assert key not in seen
            seen.add(key)
            assert NOW - 367 * DAY < reading.time <= NOW + 40 * SECOND
            assert wire.decode_readings(wire.encode(_only(reading))).readings[0].point == reading.point


def _only(reading: Reading) -> ReadingBatch:
    return ReadingBatch("edge-1", Lane.TELEMETRY, 1, (reading,))


@given(st.lists(SAMPLES, max_size=30))
def test_the_same_state_gives_the_same_readings(samples: list[Sample]) -> None:
    one = SampleBatch("edge-1", Lane.TELEMETRY, 1, tuple(samples))
    first, second = (fresh(small_site()).normalise(one, NOW + SECOND) for _ in range(2))
    assert wire.encode(first.batch) == wire.encode(second.batch)
    assert first.counts == second.counts
