"""What is counted and logged of each exchange: never a query, a header or a body."""

import asyncio
import time
from datetime import UTC, datetime
from typing import BinaryIO

import msgspec
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from gateway.exchange import Exchange

_LINES = 500
_LINGER_S = 0.2
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Recorder:
    """Counts exchanges, and writes a line for each where that is wanted."""

    def __init__(self, *, access_log: "AccessLog | None" = None, registry: CollectorRegistry = REGISTRY) -> None:
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
        if self._access_log is not None:
            request = exchange.request
            self._access_log.add(
                {
                    "event": "request",
                    "level": "info",
                    "at": datetime.now(UTC),
                    "service": "gateway",
                    "method": request.method.decode("ascii", "replace"),
                    "path": request.path,
                    "status": exchange.status,
                    "ms": round(seconds * 1000, 2),
                    "received": exchange.received,
                    "sent": exchange.sent,
                    "upstream": service,
                    "request_id": request.id,
                    "tenant": request.principal.tenant if request.principal else None,
                }
            )


class AccessLog:
    """Lines of the same shape as all others, written together: one by one they cost more than the rest of a request.

    Every field is named here and none can hold a secret, so the processors of the other lines have nothing to do.
    """

    def __init__(self, out: BinaryIO) -> None:
        """Write to *out*, at the latest a fifth of a second after a request."""
        self._out = out
        self._lines: list[bytes] = []
        self._encode = msgspec.json.Encoder().encode
        self._timer: asyncio.TimerHandle | None = None

    def add(self, line: dict[str, object]) -> None:
        """Write *line* soon."""
        self._lines.append(self._encode(line))
        if len(self._lines) >= _LINES:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_LINGER_S, self.flush)

    def flush(self) -> None:
        """Write what waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lines, self._lines = self._lines, []
        if lines:
            self._out.write(b"\n".join(lines) + b"\n")
            self._out.flush()
