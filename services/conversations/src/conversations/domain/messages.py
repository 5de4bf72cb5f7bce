"""What becomes of a stored message of ours when facts about it arrive. Pure: rows come in, changes go out."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from contracts.ids import ChatId, DeviceId, MessageId, TenantId
from contracts.views import MessageStatus
from contracts.whatsapp import MessageKind

from conversations.domain.statuses import RANK, WAITING, advance

PLACEHOLDER: MessageKind = "undecryptable"

#: They say something about another message or beside the chat: nobody has to answer them, and a chat's list entry does not show them.
NOTES: frozenset[MessageKind] = frozenset({"reaction", "edit", "delete", "note"})

#: Files that have words beside them.
CAPTIONED: frozenset[MessageKind] = frozenset({"image", "video", "document"})

NOT_READABLE = "not-readable"
"""Why a message that WhatsApp has taken is ``unknown`` all the same: the phone that it is for could not read it, and asked in vain."""

LONGEST_TEXT = 60_000
"""Characters that may be sent; WhatsApp refuses from 65,536 on."""


def clean(text: str | None) -> str | None:
    """Make *text* storable: PostgreSQL takes no NUL, and no half of a surrogate pair."""
    if text is None:
        return None
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """The part of a message of ours (``from_me``) that facts can move.

    Attributes:
        guessed: Its WhatsApp id was taken from a receipt that nobody else claimed, not said by the worker.
        ordered: It was written here and ordered from the worker; otherwise it was typed on the number's own phone.
    """

    tenant: TenantId
    id: MessageId
    device: DeviceId
    chat: ChatId
    at: datetime
    status: MessageStatus
    wa_id: str | None = None
    reason: str | None = None
    guessed: bool = False
    ordered: bool = True

    @property
    def is_unreadable(self) -> bool:
        """Tell whether the phone that it is for has it and could not read it."""
        return self.status is MessageStatus.UNKNOWN and self.reason == NOT_READABLE

    def sent(self, wa_id: str, at: datetime) -> Self:
        """WhatsApp took it under this id at this time; that it is said again is no news."""
        if wa_id == self.wa_id and not self.guessed:
            return self
        status = advance(self.status, MessageStatus.SENT)
        return replace(self, wa_id=wa_id, at=at, status=status, reason=None, guessed=False)

    def received(self, status: MessageStatus) -> Self:
        """The other side has it this far: proof that it was sent."""
        further = advance(self.status, status)
        return self if further is self.status else replace(self, status=further, reason=None)

    def unreadable(self) -> Self:
        """The phone that it is for could not read it; no news where somebody has it, as another device of the customer's may."""
        return replace(self, status=MessageStatus.UNKNOWN, reason=NOT_READABLE) if self.status is MessageStatus.SENT else self

    def denied(self) -> Self:
        """A person says of what nobody knows the end of that it did not arrive."""
        return replace(self, status=MessageStatus.FAILED, reason="not-sent")

    def unsent(self, outcome: str, reason: str) -> Self:
        """It failed, or nobody knows, or it still waits; none of these takes anything back."""
        if self.is_unreadable:
            return self
        if outcome == "waiting":
            return replace(self, reason=reason) if self.status in WAITING else self
        further = advance(self.status, MessageStatus(outcome))
        return self if further is self.status else replace(self, status=further, reason=reason)

    def settled(self, wa_id: str) -> Self:
        """A receipt that nobody else claims must be this one's."""
        return replace(self, wa_id=wa_id, guessed=True)

    def unsettled(self) -> Self:
        """The guess was wrong: the id belongs to another message."""
        return replace(self, wa_id=None, guessed=False, status=MessageStatus.UNKNOWN, reason="worker-lost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A receipt for one message of ours that has not found its message yet."""

    wa_id: str
    status: MessageStatus
    at: datetime


def lone_unknown(messages: Iterable[Ours]) -> Ours | None:
    """Give the one message that an unclaimed receipt can only mean: the chat's single ``unknown``.

    Nothing when another one of the chat has no WhatsApp id yet: the receipt could as well be that one's, whose
    ``MessageSent`` is on its way.
    """
    nameless = [m for m in messages if m.wa_id is None and m.status is not MessageStatus.FAILED]
    if len(nameless) == 1 and nameless[0].status is MessageStatus.UNKNOWN:
        return nameless[0]
    return None


def claim(unknown: Ours, ticks: Iterable[Tick]) -> tuple[str, MessageStatus] | None:
    """Find the WhatsApp id that unclaimed *ticks* give to *unknown*: exactly one id, and none from before it was written."""
    fitting = [tick for tick in ticks if tick.at >= unknown.at.replace(microsecond=0)]
    named = {tick.wa_id for tick in fitting}
    if len(named) != 1:
        return None
    return named.pop(), max((tick.status for tick in fitting), key=RANK.__getitem__)
