"""Reactions, edits and deletions: what they make of the message that they are about. Pure.

The outcome does not depend on the order in which they arrive, nor on how often: of a sender's reactions and of edits the latest
by WhatsApp's time counts, and a deletion beats them all.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, NamedTuple, Self
from uuid import UUID

import msgspec
from contracts.ids import ChatId, DeviceId, TenantId
from contracts.whatsapp import MessageKind

ActKind = Literal["reaction", "edit", "delete"]

KINDS: frozenset[MessageKind] = frozenset({"reaction", "edit", "delete"})

#: How long WhatsApp lets a sender change a message, and take it back for everyone.
EDITS_WITHIN = timedelta(minutes=15)
DELETES_WITHIN = timedelta(hours=60)

MOST_REACTIONS = 1000
"""On one message; a group has up to 1,024 members."""


class Mark(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One sender's reaction; without an emoji it was taken back, and its time still counts."""

    from_me: bool
    at: datetime
    emoji: str = ""
    participant: str = ""
    name: str | None = None


class Said(NamedTuple):
    """What a message says, and since when."""

    at: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One reaction, edit or deletion.

    Attributes:
        id: Of the fact that told of it, or of the order.
        wa_id: What WhatsApp calls the message that it is about.
        from_me: The number itself did it; *participant* did it in a group.
        text: The emoji, or the new text.
    """

    tenant: TenantId
    id: UUID
    device: DeviceId
    chat: ChatId
    wa_id: str
    kind: ActKind
    from_me: bool
    at: datetime
    participant: str = ""
    sender_name: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stands:
    """The part of a message that acts can change."""

    from_me: bool
    participant: str
    text: str | None
    reactions: tuple[Mark, ...] = ()
    edited_at: datetime | None = None
    deleted_at: datetime | None = None

    def may(self, act: Act) -> bool:
        """Tell whether who did it may: everybody reacts, and only the sender changes a message or takes it back."""
        return act.kind == "reaction" or (act.from_me, act.participant) == (self.from_me, self.participant)

    def after(self, act: Act) -> Self:
        """Say how it stands after *act*, which its sender may do."""
        if act.kind == "delete":
            at = act.at if self.deleted_at is None else min(self.deleted_at, act.at)
            return replace(self, deleted_at=at, text=None, reactions=(), edited_at=None)
        if self.deleted_at is not None:
            return self
        if act.kind == "edit":
            if act.text is None or (self.edited_at is not None and (self.edited_at, self.text or "") >= (act.at, act.text)):
                return self
            return replace(self, text=act.text, edited_at=act.at)
        return replace(self, reactions=_marked(self.reactions, act))

    def former(self, act: Act, at: datetime) -> Said | None:
        """Give what the message, which was sent *at* that time, says no more, as *act* shows; the same may be given again."""
        if act.kind != "edit" or not act.text or self.deleted_at is not None:
            return None
        if self.after(act) == self:
            told = Said(act.at, act.text)
            return None if told == (self.edited_at, self.text) else told
        return Said(self.edited_at or at, self.text) if self.text else None


def _marked(marks: tuple[Mark, ...], act: Act) -> tuple[Mark, ...]:
    mark = Mark(from_me=act.from_me, at=act.at, emoji=act.text or "", participant=act.participant, name=act.sender_name)
    others = [one for one in marks if (one.from_me, one.participant) != (mark.from_me, mark.participant)]
    before = next((one for one in marks if (one.from_me, one.participant) == (mark.from_me, mark.participant)), None)
    if before is not None and (before.at, before.emoji) >= (mark.at, mark.emoji):
        return marks
    if len(others) >= MOST_REACTIONS:
        return marks
    return tuple(sorted([*others, mark], key=lambda one: (one.at, one.from_me, one.participant)))
