"""The live feed: everybody hears everything, nobody slow delays anybody."""

import asyncio

from gateway.live import KEPT, QUEUE, Event, LiveFeed, Subscription, event_stream


def names(subscription: Subscription) -> list[str]:
    return [event.name for event in subscription.waiting]


def test_every_listener_hears_every_event_in_order() -> None:
    feed = LiveFeed(100)
    one, two = feed.subscribe(frozenset(), ""), feed.subscribe(frozenset(), "")
    feed.tell("alarm", {"id": "a"})
    feed.tell("case", {"number": "b"})
    assert names(one) == names(two) == ["alarm", "case"]
    assert one.waiting[0].encode() == 'id: 101\nevent: alarm\ndata: {"id":"a"}\n\n'


def test_a_listener_that_comes_back_gets_what_it_missed() -> None:
    feed = LiveFeed(0)
    for number in range(5):
        feed.tell("alarm", number)
    back = feed.subscribe(frozenset(), "3")
    assert [event.data for event in back.waiting] == ["3", "4"]


def test_a_listener_that_was_away_too_long_is_told_to_fetch_anew() -> None:
    feed = LiveFeed(0)
    for number in range(KEPT + 10):
        feed.tell("alarm", number)
    assert names(feed.subscribe(frozenset(), "3")) == ["stale"]


def test_a_number_of_an_earlier_process_is_stale_too() -> None:
    feed = LiveFeed(1_000_000)
    assert names(feed.subscribe(frozenset(), "17")) == ["stale"]


def test_a_slow_listener_loses_its_queue_not_the_others() -> None:
    feed = LiveFeed(0)
    slow, quick = feed.subscribe(frozenset(), ""), feed.subscribe(frozenset(), "")
    for number in range(QUEUE + 1):
        feed.tell("alarm", number)
        quick.waiting.clear()
    assert names(slow) == ["stale"]
    feed.tell("alarm", "after")
    assert [event.data for event in quick.waiting] == ['"after"']


def test_readings_go_only_to_those_who_watch_the_device() -> None:
    feed = LiveFeed(0)
    watching, other = feed.subscribe(frozenset({"kitchen"}), ""), feed.subscribe(frozenset(), "")
    feed.tell_readings([("kitchen", {"value": 21.5}), ("cellar", {"value": 9.0})])
    assert [event.data for event in watching.waiting] == ['[{"value":21.5}]']
    assert not other.waiting
    watching.close()
    assert feed.watched == frozenset()


async def test_the_stream_beats_while_nothing_happens_and_ends_when_the_feed_closes() -> None:
    feed = LiveFeed(0)
    subscription = feed.subscribe(frozenset(), "")

    async def still_here() -> bool:
        return False

    stream = event_stream(subscription, still_here, beat=0.01)
    assert await anext(stream) == "retry: 2000\n\n"
    assert await anext(stream) == Event(0, "beat", "{}").encode()
    feed.tell("alarm", 1)
    assert "event: alarm" in await anext(stream)
    feed.close()
    assert [part async for part in stream] == []
    assert feed.listeners == 0


async def test_a_listener_that_left_is_forgotten() -> None:
    feed = LiveFeed(0)
    subscription = feed.subscribe(frozenset(), "")

    async def left() -> bool:
        return True

    async with asyncio.timeout(10):
        assert [part async for part in event_stream(subscription, left, beat=0.01)] == ["retry: 2000\n\n"]
    assert feed.listeners == 0
