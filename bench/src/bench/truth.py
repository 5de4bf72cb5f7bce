"""What was lost, doubled or left in doubt: the phones' own records held against the API's."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

#: Stands for the text of a message that could not be read: it bears none.
PLACEHOLDER = "[undecryptable]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """Everything that is known of some messages at the end. A message is its text, which no other has.

    Attributes:
        written: What the customers' phones wrote.
        stored: What the API shows of customers, each time that it shows it.
        accepted: What the API took from the agents.
        decrypted: What the customers' phones could read, each time that they did.
        statuses: How the API says that each of the agents' messages stands.
    """

    written: Iterable[str]
    stored: Collection[str]
    accepted: Iterable[str]
    decrypted: Iterable[str]
    statuses: Mapping[str, str]

    @property
    def placeholders(self) -> int:
        """How many messages stand there without a text, because they could not be read."""
        return sum(text == PLACEHOLDER for text in self.stored)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What came of it. *unknown* and *failed* are messages that did not arrive, and of which the agent is told so."""

    asked: int
    lost_in: int
    lost_out: int
    doubled_in: int
    doubled_out: int
    unknown: int
    failed: int

    @property
    def lost(self) -> int:
        """Gone without a word, in either direction."""
        return self.lost_in + self.lost_out

    @property
    def doubled(self) -> int:
        """There twice, in either direction."""
        return self.doubled_in + self.doubled_out

    def figures(self) -> dict[str, int]:
        """Give it as a part of a result."""
        return {
            "lost": self.lost,
            "doubled": self.doubled,
            "unknown": self.unknown,
            "failed": self.failed,
            "lost_in": self.lost_in,
            "lost_out": self.lost_out,
            "asked": self.asked,
        }


def tally(records: Records, prefix: str = "") -> Tally:
    """Count what came of the messages whose text begins with *prefix*."""
    written, accepted = _only(records.written, prefix), _only(records.accepted, prefix)
    # Two placeholders are no message that came twice.
    stored = Counter(text for text in _only(records.stored, prefix) if text != PLACEHOLDER)
    decrypted = Counter(_only(records.decrypted, prefix))
    missing = [text for text in accepted if not decrypted[text]]
    said = Counter(records.statuses.get(text) for text in missing)
    return Tally(
        asked=len(written) + len(accepted),
        lost_in=sum(not stored[text] for text in written),
        lost_out=len(missing) - said["unknown"] - said["failed"],
        doubled_in=sum(count > 1 for count in stored.values()),
        doubled_out=sum(count > 1 for count in decrypted.values()),
        unknown=said["unknown"],
        failed=said["failed"],
    )


def _only(texts: Iterable[str], prefix: str) -> list[str]:
    return [text for text in texts if text.startswith(prefix)]
