"""What was said on a serial line, and what of it an edge must have committed."""

import sqlite3
from contextlib import closing

import pytest

from chaos.journal import Journal, Series
from chaos.senders.modbus import COMMITTED, PAUSE, Listener
from readings import Lane
from simulators.record import Sent

SERIES = [Series("edge-1", "line/1", "t", "d", "temperature", Lane.TELEMETRY)]


@pytest.fixture
def polls(tmp_path):
    """Says one value at each of the given seconds; which of them count as acknowledged."""

    def run(*seconds: float) -> list[float]:
        path = tmp_path / "line.journal"
        moments = iter(seconds)
        with Journal(path, SERIES) as journal:
            listener = Listener(journal, SERIES, clock=lambda: next(moments))
            for second in seconds:
                listener.write(Sent(0, "d", "temperature", second, second))
        with closing(sqlite3.connect(path)) as written:
            assert written.execute("SELECT count(*) FROM said").fetchone() == (len(seconds),)
            rows = written.execute("SELECT value FROM said JOIN heard USING (message) ORDER BY message")
            return [value for (value,) in rows]

    return run


def every(step: float, first: float, last: float) -> list[float]:
    return [first + step * n for n in range(int((last - first) / step) + 1)]


def test_what_was_polled_a_second_before_is_committed(polls):
    seconds = every(PAUSE / 2, 10.0, 12.0)
    assert polls(*seconds) == [second for second in seconds if second < seconds[-1] - COMMITTED]


def test_what_was_polled_less_than_a_second_before_a_pause_may_be_lost_with_its_edge(polls):
    before, after = every(PAUSE / 2, 10.0, 10.9), every(PAUSE / 2, 12.0, 12.9)
    assert polls(*before, *after) == []
