"""Tasks end when they are told to, also those that miss it the first time."""

import asyncio

import pytest

from supervision.ending import end


async def deaf(hears: int) -> None:
    """Goes on until it is told to end for the `hears`-th time, as who waits in 3.11's `wait_for` may."""
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            hears -= 1
            if not hears:
                raise


async def a_group_of(*members: int) -> None:
    async with asyncio.TaskGroup() as group:
        for hears in members:
            group.create_task(deaf(hears))


async def test_who_hears_ends_at_once() -> None:
    task = asyncio.create_task(deaf(1))
    await asyncio.sleep(0)
    await end([task])
    assert task.cancelled()


async def test_who_misses_it_is_told_again() -> None:
    task = asyncio.create_task(deaf(3))
    await asyncio.sleep(0)
    await end([task])
    assert task.cancelled()


async def test_who_misses_it_inside_a_group_is_told_again() -> None:
    outer = asyncio.create_task(a_group_of(1, 2, 3))
    await asyncio.sleep(0.01)
    await end([outer], all_but=())
    assert outer.cancelled()


async def test_what_is_still_needed_is_spared() -> None:
    needed = asyncio.create_task(deaf(1))
    outer = asyncio.create_task(a_group_of(2))
    await asyncio.sleep(0.01)
    await end([outer], all_but=[needed])
    assert outer.cancelled()
    assert not needed.done()
    await end([needed])


async def test_one_that_failed_does_not_keep_the_others() -> None:
    async def fails() -> None:
        raise RuntimeError

    tasks = [asyncio.create_task(fails()), asyncio.create_task(deaf(2))]
    await asyncio.sleep(0.01)
    await end(tasks)
    assert all(task.done() for task in tasks)
    with pytest.raises(RuntimeError):
        tasks[0].result()
