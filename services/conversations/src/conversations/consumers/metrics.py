"""What the consumer counts."""

from dataclasses import dataclass

from prometheus_client import Counter, Histogram

ROWS = Histogram("clarin_conversations_batch_rows", "Facts in one transaction.", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500))
STORED = Counter("clarin_conversations_messages_total", "Messages observed, by what became of them.", ["outcome"])
STATUSES = Counter("clarin_conversations_statuses_total", "Messages of ours whose status moved.")
PENDING = Counter("clarin_conversations_receipts_kept_total", "Ticks that came before their message.")
IGNORED = Counter("clarin_conversations_ignored_total", "Facts without effect here, by why.", ["why"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one batch did."""

    new: int
    known: int
    replaced: int
    advanced: int
    kept: int


def count(told: Told) -> None:
    """The counters have grown by what one committed batch did."""
    STORED.labels("inserted").inc(told.new)
    STORED.labels("duplicate").inc(told.known)
    STORED.labels("replaced").inc(told.replaced)
    STATUSES.inc(told.advanced)
    PENDING.inc(told.kept)
