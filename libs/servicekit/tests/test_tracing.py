"""Traces, as a collector that is really there gets them."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta

import pytest
from contracts.envelope import encode, wrap
from contracts.examples import envelopes
from fastapi import APIRouter
from httpx import ASGITransport, AsyncClient
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from servicekit import logging, tracing
from servicekit.health import Health
from servicekit.http import create_app
from servicekit.testing.collector import Collector, collecting, place


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


ENVELOPE = envelopes()[0]
GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_without_a_collector_nothing_that_makes_or_sends_spans_is_loaded():
    code = (
        "import sys\nfrom servicekit import tracing\nimport servicekit.run, servicekit.bus, servicekit.outbox\n"
        "with tracing.exporting('shop', None):\n"
        "    with tracing.span('a') as span: assert span.trace is None\n"
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk.trace', 'opentelemetry.exporter'))])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=50).stdout
    assert said.strip() == "[]"


def test_what_is_told_inside_a_span_stands_below_it_and_says_so_in_its_message(collector):
    with tracing.exporting("shop", collector.url), tracing.span("outer", parent=GIVEN, kind="server", shop__size=3) as outer:
        assert logging.trace() == outer.trace
        told = tracing.current(ENVELOPE)
        assert told.trace == outer.trace
        assert tracing.headers(encode(told)) == {"traceparent": outer.trace}
        with tracing.span("inner"):
            pass
    span = collector.named("outer")
    assert (span.trace_id, span.parent_span_id) == place(GIVEN)
    assert (span.kind, span.attributes[0].key, span.attributes[0].value.int_value) == (Span.SPAN_KIND_SERVER, "shop.size", 3)
    assert collector.named("inner").parent_span_id == span.span_id


def test_each_envelope_of_a_batch_keeps_its_own_trace(collector):
    first, second, third = (wrap(ENVELOPE.tenant, ENVELOPE.data, id=None) for _ in range(3))
    with tracing.exporting("shop", collector.url):
        a, b = tracing.begin("a"), tracing.begin("b")
        traced = [wrap(one.tenant, one.data, trace=span.trace) for one, span in ((first, a), (second, b))]
        with tracing.handling("shop-orders", [*traced, third]):
            causes = [tracing.of(one) for one in (*traced, third)]
            assert logging.trace() is None, "of several causes none is the cause of everything"
        with tracing.handling("shop-alone", traced[:1]):
            assert logging.trace() == tracing.of(traced[0])
        a.end()
        b.end()
    assert [cause and place(cause)[0] for cause in causes] == [collector.named("a").trace_id, collector.named("b").trace_id, None]


def test_an_error_is_told_by_its_kind_and_never_by_its_words(collector):
    with tracing.exporting("shop", collector.url), pytest.raises(ValueError, match="secret"), tracing.span("work"):
        raise ValueError("secret of a customer")
    assert b"secret" not in collector.named("work").SerializeToString()
    assert {one.key: one.value.string_value for one in collector.named("work").attributes} == {"error.type": "ValueError"}


def test_what_took_time_is_recorded_afterwards(collector):
    with tracing.exporting("shop", collector.url):
        tracing.record("frame", parent=GIVEN, took=timedelta(seconds=2).total_seconds())
        tracing.record("of nothing", parent=None, took=1)
    assert [span.name for span in collector.spans] == ["frame"]
    assert 1.9e9 < collector.spans[0].end_time_unix_nano - collector.spans[0].start_time_unix_nano < 60e9


def test_a_collector_that_is_away_holds_nothing_up():
    with tracing.exporting("shop", "http://127.0.0.1:9"), tracing.span("work") as span:
        assert span.trace is not None


async def test_a_request_goes_on_in_the_trace_that_it_came_with(collector):
    router = APIRouter()

    @router.get("/things/{id}")
    async def thing(id: int) -> dict[str, str | None]:
        await asyncio.sleep(0)
        return {"trace": logging.trace()}

    app = create_app(title="t", service=Health(), verifier=None, routers=[router])
    with tracing.exporting("shop", collector.url):
        async with AsyncClient(transport=ASGITransport(app), base_url="http://shop") as client:
            said = (await client.get("/things/7", headers={"traceparent": GIVEN})).json()
            await client.get("/health/live")
    (span,) = collector.spans
    assert span.name == "GET /things/{id}"
    assert (span.trace_id, span.parent_span_id) == place(GIVEN)
    assert place(said["trace"]) == (span.trace_id, span.span_id)
