"""A collector of traces, as small as one can be: it speaks OTLP over HTTP and keeps what it is sent."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector:
    """Every span with the process that made it, as far as they have come."""

    def __init__(self, url: str, kept: list[tuple[str, Span]]) -> None:
        self.url = url
        self._kept = kept

    @property
    def spans(self) -> list[Span]:
        """All of them, as they came."""
        return [span for _, span in list(self._kept)]

    def named(self, name: str) -> Span:
        """The first of that name.  Raises: StopIteration: there is none."""
        return next(span for span in self.spans if span.name == name)

    def trace(self, id: bytes) -> dict[str, set[str]]:
        """The names of one trace's spans, by process."""
        found: dict[str, set[str]] = {}
        for process, span in list(self._kept):
            if span.trace_id == id:
                found.setdefault(process, set()).add(span.name)
        return found

    def ids(self, process: str, name: str) -> list[bytes]:
        """The traces that hold such a span."""
        return [span.trace_id for maker, span in list(self._kept) if maker == process and span.name == name]


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector listens on loopback meanwhile."""
    kept: list[tuple[str, Span]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["content-length"])))
            for group in request.resource_spans:
                process = next(one.value.string_value for one in group.resource.attributes if one.key == "service.name")
                kept.extend((process, span) for scope in group.scope_spans for span in scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Collector(f"http://127.0.0.1:{server.server_port}", kept)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def place(traceparent: str) -> tuple[bytes, bytes]:
    """The ids of a trace and of a span in it."""
    _, whole, one, _ = traceparent.split("-")
    return bytes.fromhex(whole), bytes.fromhex(one)
