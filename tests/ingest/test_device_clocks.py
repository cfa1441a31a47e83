"""How far a device's clock is off, by what it sends."""

from ingest.clocks import CLOCK_WINDOW, SECOND, DeviceClock
from ingest.normaliser import Normaliser
from ingest.series_marks import Marks
from readings import Lane, Sample, SampleBatch
from tests.ingest.world import NOW, Site


def seen(*pairs: tuple[float, float]) -> DeviceClock:
    """A clock after samples of (device's time, edge's time), in seconds from now."""
    clock = DeviceClock()
    for time, taken in pairs:
        clock.see(NOW + int(time * SECOND), NOW + int(taken * SECOND))
    return clock


def test_a_device_that_has_told_no_time_has_no_offset():
    assert DeviceClock().offset is None


def test_what_a_device_kept_for_an_hour_does_not_make_its_clock_an_hour_slow():
    clock = seen((-3600 + 3, 0), (-1800 + 3, 1), (2 + 3, 2.5), (-600, 3))
    assert clock.offset == 2.5 * SECOND, "the one that came at once tells"


def test_a_clock_that_was_set_is_believed_after_two_windows():
    window = CLOCK_WINDOW // SECOND
    clock = seen((100, 0), (window, window))
    assert clock.offset == 100 * SECOND
    clock.see(NOW + 2 * CLOCK_WINDOW, NOW + 2 * CLOCK_WINDOW)
    assert clock.offset == 0


def test_what_was_said_before_a_long_silence_is_forgotten():
    clock = seen((100, 0))
    later = NOW + 100 * CLOCK_WINDOW
    clock.see(later - SECOND, later)
    assert clock.offset == -SECOND


def test_the_normaliser_tells_it_for_devices_that_tell_a_time(site: Site):
    normaliser = Normaliser(site, {lane: Marks() for lane in Lane})
    samples = (
        Sample("z2m/smoke-1", "battery", 90, NOW, NOW - 90 * SECOND),
        Sample("z2m/smoke-2", "battery", 90, NOW),
    )
    normaliser.normalise(SampleBatch("edge-1", Lane.TELEMETRY, 1, samples), NOW + SECOND)
    assert normaliser.clock_offsets() == {"smoke-1": -90.0}
    normaliser.set_site(site)
    assert normaliser.clock_offsets() == {"smoke-1": -90.0}, "an edited site does not make it unknown"


def test_an_edge_that_does_not_know_the_time_tells_nothing_about_its_devices(site: Site):
    normaliser = Normaliser(site, {lane: Marks() for lane in Lane})
    sample = Sample("z2m/smoke-1", "battery", 90, 20 * SECOND, NOW)
    normaliser.normalise(SampleBatch("edge-1", Lane.TELEMETRY, 1, (sample,)), NOW + SECOND)
    assert normaliser.clock_offsets() == {}
