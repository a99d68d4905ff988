"""Counters for Prometheus. Of routes, not of paths: a path may hold a name."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """What one server counts.

    Args:
        waiting: how many items are inside now.
        enrolled: how many identities are enrolled now.
    """

    def __init__(self, waiting: Callable[[], int], enrolled: Callable[[], int]) -> None:
        own = self._registry = CollectorRegistry()
        self._answers = Counter("gemel_requests", "Requests answered.", ["route", "method", "status"], registry=own)
        self._seconds = Histogram(
            "gemel_request_seconds", "From a request to its answer.", ["route"], buckets=SECONDS, registry=own
        )
        self._sizes = Histogram("gemel_batch_items", "Items that were encoded together.", buckets=SIZES, registry=own)
        self._encoding = Counter("gemel_encode_seconds", "Time spent encoding.", registry=own)
        Gauge("gemel_waiting_items", "Items accepted and not embedded yet.", registry=own).set_function(waiting)
        Gauge("gemel_enrolled_identities", "Identities enrolled.", registry=own).set_function(enrolled)

    def answer(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self._answers.labels(route, method, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def batch(self, items: int, seconds: float) -> None:
        """A batch was encoded."""
        self._sizes.observe(items)
        self._encoding.inc(seconds)

    def text(self) -> bytes:
        """Everything, in Prometheus's text format."""
        return generate_latest(self._registry)
