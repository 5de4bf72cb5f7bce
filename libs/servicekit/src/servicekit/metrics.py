"""What every service counts: ``clarin_<what>_<unit>``, read by Prometheus from ``/metrics``."""

from prometheus_client import Counter, Gauge, Histogram

PUBLISHED = Counter("clarin_bus_published_messages", "Messages that have their ack from a stream.", ["type"])
CONSUMED = Counter(
    "clarin_bus_consumed_messages", "Messages that a durable is done with, by outcome: done, gone, dead.", ["durable", "outcome"]
)
RETRIED = Counter("clarin_bus_retried_messages", "Failures after which a message waits for its next try.", ["durable"])
AWAY = Counter("clarin_bus_away_pauses", "Times that a consumer stood still because what it needs is away.", ["durable"])
HANDLING = Histogram(
    "clarin_bus_handler_seconds",
    "Time of one handler call, which is one batch.",
    ["durable"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
LAG = Gauge("clarin_bus_lag_messages", "Messages in the stream that a durable has not been given yet.", ["durable"])
HELD = Gauge("clarin_bus_held_messages", "Messages that a durable's process has in hand.", ["durable"])
DEAD = Counter("clarin_bus_dead_letters", "Messages that went to the dead letters, by the code of the error.", ["durable", "code"])
OUTBOX_ROWS = Gauge("clarin_outbox_rows", "Facts that are committed and not published yet.", ["schema"])
OUTBOX_AGE = Gauge("clarin_outbox_age_seconds", "Age of the oldest of them.", ["schema"])
OUTBOX_RELAYED = Counter("clarin_outbox_relayed_messages", "Facts that the relay has published.", ["schema"])

_published: dict[str, Counter] = {}


def published(subject: str) -> None:
    """Count one message by its subject without the tenant."""
    stem = subject.rpartition(".")[0] if subject.startswith(("evt.", "cmd.")) else subject
    counter = _published.get(stem)
    if counter is None:
        counter = _published[stem] = PUBLISHED.labels(stem)
    counter.inc()
