"""Traces in OpenTelemetry's manner: what was done for one message, in every process that had a hand in it.

They are off unless somebody collects them (`exporting`); then nothing of OpenTelemetry is imported from here, and a span costs
a look at a variable. From process to process a trace travels as W3C's ``traceparent``: in HTTP's header of that name, in the
envelope (so that it lies in the outbox with its fact), and in the header of the message on the bus for whoever looks there.

What is being done now has its trace in the log's context, where `logging.trace` finds it. A batch does many things at a time:
each envelope has a span of its own, and what is told because of it asks `of`.
"""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import msgspec
import structlog
from contracts.envelope import Envelope
from structlog.contextvars import bound_contextvars

from servicekit import logging

if TYPE_CHECKING:
    from opentelemetry.trace import Span as OtelSpan
    from opentelemetry.trace import Tracer

Kind = Literal["internal", "server", "client", "producer", "consumer"]

#: OpenTelemetry's own variables, which are heard as well.
_STANDARD = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_HEADER = "traceparent"
_EXPORT_SECONDS = 3

log = structlog.get_logger()

_tracer: "Tracer | None" = None
_causes: ContextVar[Mapping[UUID, str]] = ContextVar("causes")


class Span:
    """Something that is being done.

    Attributes:
        trace: What to pass on, so that what follows is found below it; None where traces are off.
    """

    __slots__ = ("_span", "trace")

    def __init__(self, span: "OtelSpan | None" = None) -> None:
        self._span = span
        self.trace: str | None = None
        if span is not None:
            known = span.get_span_context()
            self.trace = f"00-{known.trace_id:032x}-{known.span_id:016x}-{int(known.trace_flags):02x}"

    def tell(self, name: str | None = None, **attributes: str | int) -> None:
        """Say more of it, which was not known when it began."""
        if self._span is not None:
            if name is not None:
                self._span.update_name(name)
            for key, value in attributes.items():
                self._span.set_attribute(key.replace("__", "."), value)

    def failed(self, error: BaseException) -> None:
        """Say that it went wrong: the kind of the error alone, for its text may quote what people wrote."""
        if self._span is not None:
            from opentelemetry.trace import StatusCode

            self._span.set_attribute("error.type", type(error).__name__)
            self._span.set_status(StatusCode.ERROR)

    def end(self) -> None:
        """It is done."""
        if self._span is not None:
            self._span.end()


#: What is done while nobody collects traces.
NOTHING = Span()


class _Traced(msgspec.Struct):
    trace: str | None = None


_traced = msgspec.json.Decoder(_Traced)


def is_on() -> bool:
    """Tell whether anybody collects traces."""
    return _tracer is not None


@contextmanager
def exporting(service: str, endpoint: str | None) -> Iterator[None]:
    """Spans are sent to *endpoint*, or to where OpenTelemetry's own variables say; where neither names one, traces are off."""
    global _tracer
    address = f"{endpoint.rstrip('/')}/v1/traces" if endpoint else None
    if address is None and not any(os.environ.get(name) for name in _STANDARD):
        yield
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create({"service.name": service, "service.namespace": "clarin"})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=address, timeout=_EXPORT_SECONDS)))
    _tracer = provider.get_tracer("clarin")
    log.info("traces are sent")
    try:
        yield
    finally:
        _tracer = None
        provider.shutdown()


def begin(name: str, *, parent: str | None = None, kind: Kind = "internal", at: float | None = None, **attributes: str | int) -> Span:
    """Begin a span; whoever begins it ends it.

    Args:
        parent: The ``traceparent`` of what it is done for; None: what is being done now, or nothing.
        at: When it began, in Unix seconds; now by default.
        attributes: Two underscores stand for a dot. Nothing that people wrote, and no number of theirs.
    """
    if _tracer is None:
        return NOTHING
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    context = TraceContextTextMapPropagator().extract({_HEADER: parent or logging.trace() or ""})
    named = {key.replace("__", "."): value for key, value in attributes.items()}
    start = None if at is None else int(at * 1e9)
    return Span(_tracer.start_span(name, context=context, kind=SpanKind[kind.upper()], attributes=named, start_time=start))


@contextmanager
def span(name: str, *, parent: str | None = None, kind: Kind = "internal", **attributes: str | int) -> Iterator[Span]:
    """What is done inside is one span, and log lines and facts that are made inside bear its trace."""
    if _tracer is None:
        yield NOTHING
        return
    begun = begin(name, parent=parent, kind=kind, at=None, **attributes)
    try:
        with bound_contextvars(trace=begun.trace):
            yield begun
    except Exception as error:
        begun.failed(error)
        raise
    finally:
        begun.end()


def record(name: str, *, parent: str | None, took: float, kind: Kind = "consumer", **attributes: str | int) -> None:
    """What has just been done for *parent*, and took so many seconds, was a span; nothing without a parent."""
    if _tracer is not None and parent is not None:
        begin(name, parent=parent, kind=kind, at=time.time() - took, **attributes).end()


@contextmanager
def handling(durable: str, batch: Sequence[Envelope[Any]]) -> Iterator[None]:
    """Each envelope that has a trace gets a span while the whole batch is handled."""
    if _tracer is None:
        yield
        return
    spans = {one.id: begin(f"{durable} {one.type}", parent=one.trace, kind="consumer") for one in batch if one.trace is not None}
    token = _causes.set({id: span.trace for id, span in spans.items() if span.trace is not None})
    # Whatever a batch of one cause does has that cause, whether it says so or not.
    only = next(iter(spans.values())).trace if len(spans) == 1 == len(batch) else None
    try:
        with bound_contextvars(trace=only):
            yield
    except Exception as error:
        for span in spans.values():
            span.failed(error)
        raise
    finally:
        _causes.reset(token)
        for span in spans.values():
            span.end()


def of(envelope: Envelope[Any]) -> str | None:
    """Give the trace for what is told because of *envelope*, which is being handled."""
    return _causes.get({}).get(envelope.id, envelope.trace)


def current(one: Envelope[Any]) -> Envelope[Any]:
    """Give *one* the trace of what is being done now, if it has none and traces are on."""
    if _tracer is None or one.trace is not None:
        return one
    return msgspec.structs.replace(one, trace=logging.trace())


def headers(payload: bytes) -> dict[str, str]:
    """Give what the message of an encoded envelope bears in its head."""
    if _tracer is None:
        return {}
    trace = _traced.decode(payload).trace
    return {} if trace is None else {_HEADER: trace}
