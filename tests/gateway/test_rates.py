"""Rates are averages over whole seconds that have passed."""

from gateway.rates import Rates
from readings import Lane

SECOND = 1_000_000_000


def test_a_steady_stream_shows_its_rate() -> None:
    rates = Rates()
    for second in range(100, 115):
        rates.count("stored", Lane.TELEMETRY, 250, second * SECOND)
    assert rates.per_second(115 * SECOND) == {("stored", Lane.TELEMETRY): 250.0}
    assert rates.totals() == {("stored", Lane.TELEMETRY): 15 * 250}


def test_a_stream_that_stopped_falls_to_zero() -> None:
    rates = Rates()
    rates.count("stored", Lane.ALARM, 100, 100 * SECOND)
    assert rates.per_second(101 * SECOND)[("stored", Lane.ALARM)] == 10.0
    assert rates.per_second(111 * SECOND)[("stored", Lane.ALARM)] == 0.0
