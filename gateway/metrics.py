"""The numbers for Prometheus, read from the services when somebody scrapes."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.measured import Measured
from gateway.status import Status
from language import translator


class StatusCollector(Collector):
    """Throughput and health, and what was `measured` last."""

    def __init__(self, status: Status, measured: Measured) -> None:
        self._status = status
        self._measured = measured

    def collect(self) -> Iterable[Metric]:
        """One family each for throughput and health."""
        passed = CounterMetricFamily(
            "gridwarden_readings", "Readings that passed a stage since the start.", labels=["stage", "lane"]
        )
        for (stage, lane), count in self._status.rates.totals().items():
            passed.add_metric([stage, lane.value], count)
        yield passed
        up = GaugeMetricFamily("gridwarden_part_up", "1 while a part of the gateway works.", labels=["part"])
        for component in self._status.components(translator("en")):
            up.add_metric([component.name], float(component.state == "ok"))
        yield up
        yield from self._measured.families()


def create_metrics(status: Status, measured: Measured) -> CollectorRegistry:
    """A registry of this gateway's own: several may live in one process in tests.

    `measured` is told as it is: whoever scrapes refreshes it before.
    """
    registry = CollectorRegistry()
    registry.register(StatusCollector(status, measured))
    ProcessCollector(registry=registry)
    return registry
