"""What is counted and logged of each exchange: never a query, a header or a body."""

import time

import structlog
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from gateway.exchange import Exchange

log = structlog.get_logger()

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Recorder:
    """Counts exchanges, and writes a line for each where that is wanted."""

    def __init__(self, *, access_log: bool, registry: CollectorRegistry = REGISTRY) -> None:
        """Declare the metrics in *registry*."""
        self._access_log = access_log
        requests = Counter(
            "clarin_gateway_requests", "Requests, by who answered and with which status.", ["service", "status"], registry=registry
        )
        seconds = Histogram(
            "clarin_gateway_request_seconds",
            "From a request's head to the end of its answer.",
            ["service"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self.clients = Gauge("clarin_gateway_connections", "Public connections that are open, sockets among them.", registry=registry)
        self._requests = requests
        self._seconds = seconds
        # Labels are looked up once: that costs more than the counting.
        self._counters: dict[tuple[str, int], Counter] = {}
        self._histograms: dict[str, Histogram] = {}

    def __call__(self, exchange: Exchange, service: str) -> None:
        """Record an exchange that is over."""
        seconds = time.perf_counter() - exchange.started
        key = (service, exchange.status)
        counter = self._counters.get(key)
        if counter is None:
            counter = self._counters[key] = self._requests.labels(service, str(exchange.status))
        counter.inc()
        if not exchange.upgraded:
            histogram = self._histograms.get(service)
            if histogram is None:
                histogram = self._histograms[service] = self._seconds.labels(service)
            histogram.observe(seconds)
        if self._access_log:
            request = exchange.request
            log.info(
                "request",
                method=request.method.decode("ascii", "replace"),
                path=request.path,
                status=exchange.status,
                ms=round(seconds * 1000, 2),
                received=exchange.received,
                sent=exchange.sent,
                upstream=service,
                request_id=request.id,
                tenant=str(request.principal.tenant) if request.principal else None,
            )
