"""Kill any one process at any moment: it comes back, goes on, and the books balance."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.conftest import Installation


@pytest.mark.timeout(400)
def test_after_kill_9_of_any_one_process_the_books_balance(installation: Callable[..., Installation]) -> None:
    house = installation("--devices", "150", "--scenario", "kitchen-fire").start()
    house.wait(lambda: house.get("books")["taken"] > 100, "readings flow")
    for name in sorted(house.children()):
        victim = house.children()[name]
        victim.kill()
        house.wait(
            lambda name=name, pid=victim.pid: (again := house.children().get(name)) and again.pid != pid,
            f"{name} is started again",
        )
        house.wait(lambda: (house.try_get("health") or {}).get("status") == "ok", f"health after {name}")
        before = house.get("books")["stored"]
        house.wait(lambda before=before: house.get("books")["stored"] > before, f"readings flow after {name}")
        house.wait(lambda: house.books()["balanced"], f"the books balance after kill -9 of {name}", 90)
    assert house.stop() == 0, house.output


def test_nothing_outlives_kill_9_of_the_whole(installation: Callable[..., Installation]) -> None:
    house = installation("--devices", "20").start()
    assert house.process is not None
    pids = [child.pid for child in house.children().values()]
    house.process.kill()
    house.process.wait()
    house.process = None
    house.wait(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), "all children are gone")
    house.start()
    house.wait(lambda: house.books()["balanced"], "the books balance after kill -9 of everything")
    assert house.stop() == 0, house.output
