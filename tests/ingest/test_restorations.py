"""What is lost with a restored core is known by the numbers that never came."""

from contextlib import closing
from pathlib import Path

import pytest

from ingest.database import open_reader
from ingest.ledger import Ledger
from ingest.restorations import Restored, note_restoration, read_restorations, upto
from ingest.sequences import Sequences
from readings import Lane
from readings.numbers import LIFE_BITS

LIFE = 5 << LIFE_BITS


@pytest.mark.parametrize(
    ("known", "lost"),
    [
        ([(1, 900)], range(0)),  # the edge has not sent since: nobody knows
        ([(1, 901)], range(0)),  # it went on where the backup ends
        ([(1, 900), (990, 990)], range(901, 990)),
        ([(1, 900), (990, 995), (997, 997)], range(901, 990)),  # 996 is on its way
        ([(1, 880), (990, 990)], range(901, 990)),  # 881 to 900 wait in the backup's streams
        ([(1, 900), (990 + LIFE, 990 + LIFE)], range(0)),  # another outbox
    ],
)
def test_the_numbers_between_the_backup_and_where_the_edge_went_on(
    known: list[tuple[int, int]], lost: range
) -> None:
    here = Sequences([(first + LIFE, last + LIFE) for first, last in known])
    found = Restored(1, 2, 900 + LIFE).lost(here)
    assert found == (range(lost.start + LIFE, lost.stop + LIFE) if lost else range(0))


def test_a_ledger_keeps_what_it_was_told(tmp_path: Path) -> None:
    Ledger(tmp_path / "ledger.db").close()
    done = {("e1", Lane.ALARM): Sequences([(1, 5), (LIFE, LIFE + 3)])}
    last = upto(done, [("e1", Lane.ALARM, 6), ("e2", Lane.TELEMETRY, 1)])
    note_restoration(tmp_path / "ledger.db", 100, 200, last)
    note_restoration(tmp_path / "ledger.db", 300, 400, {("e1", Lane.ALARM, 5): LIFE + 9})
    Ledger(tmp_path / "ledger.db").close()
    with closing(open_reader(tmp_path / "ledger.db")) as connection:
        found = read_restorations(connection)
    assert found == {
        ("e1", Lane.ALARM): [
            Restored(100, 200, 6),
            Restored(100, 200, LIFE + 3),
            Restored(300, 400, LIFE + 9),
        ],
        ("e2", Lane.TELEMETRY): [Restored(100, 200, 1)],
    }


def test_what_is_in_one_set_and_not_in_the_other() -> None:
    def without(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> list[tuple[int, int]]:
        return [*Sequences(one).without(Sequences(other))]

    assert without([(1, 10)], []) == [(1, 10)]
    assert without([(1, 10)], [(1, 10)]) == []
    assert without([(1, 10), (20, 30)], [(3, 4), (8, 22), (30, 40)]) == [(1, 2), (5, 7), (23, 29)]
    assert without([], [(1, 2)]) == []
    assert [*Sequences.joined([(5, 9), (1, 3), (4, 4), (8, 12), (20, 21)])] == [(1, 12), (20, 21)]
