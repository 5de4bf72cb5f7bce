"""Shapes that the HTTP API, the socket and the webhooks share, field for field."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

import msgspec

from contracts.whatsapp import ContactCard, Location, MessageKind


class MessageStatus(StrEnum):
    """How far a message of ours came; it only moves forward, but for one that was ``sent`` and the customer's phone could not read.

    That one is ``unknown`` again, with the reason ``not-readable``. ``received`` is the one status of a customer's message.
    """

    RECEIVED = "received"
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    PLAYED = "played"
    FAILED = "failed"
    UNKNOWN = "unknown"


#: What made a message of ours: a person or a program through the API, the number's own phone, the bot, an automation, a schedule.
Origin = Literal["user", "key", "phone", "bot", "automation", "schedule"]

ChatStatus = Literal["open", "pending", "snoozed", "closed"]


class ChatState(msgspec.Struct, frozen=True, kw_only=True):
    """Where a chat stands in the work of the team.

    Attributes:
        id: ``cht_…``
        device_id: ``dev_…``
        contact_id: ``cnt_…``; None in a group.
        name: What it is called; None where nobody has said it.
        snoozed_until: With ``snoozed`` alone, UTC.
        assignee_id: ``usr_…``: who answers it.
        team_id: ``tem_…``: whose queue it is in.
        tags: ``tag_…`` each.
        pinned: By whoever asks; in an event, which is for everybody, always False.
        unread: Messages of the other side since somebody last looked.
        waiting_since: The customer's first message that nobody (a bot is nobody) answered yet, UTC; None while nobody waits.
        first_response_at: When a person first answered since the chat began, or began again after it was closed, UTC.
        revision: Grows by one with each change of this chat: a lower one than the last seen is old news.
    """

    id: str
    device_id: str
    contact_id: str | None
    name: str | None
    status: ChatStatus
    revision: int
    at: datetime
    snoozed_until: datetime | None = None
    assignee_id: str | None = None
    team_id: str | None = None
    tags: tuple[str, ...] = ()
    pinned: bool = False
    unread: int = 0
    waiting_since: datetime | None = None
    first_response_at: datetime | None = None


#: What happens to a chat besides its messages. ``assigned``: to somebody; ``team``: into a team's queue, to nobody of it yet.
HappeningKind = Literal["open", "pending", "snoozed", "closed", "assigned", "team", "unassigned", "tagged", "untagged"]


class Happening(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to a chat besides its messages.

    Attributes:
        id: ``hpn_…``
        kind: A status: it stands like that since then, ``open`` again.
        actor_id: ``usr_…`` or ``key_…``: who did it; None where a message, time or a rule did.
        assignee_id: ``usr_…``: with ``assigned``: who answers it since then; *previous_id*: who did before.
        team_id: ``tem_…``: whose queue it came into with that.
        tags: ``tag_…`` each: with ``tagged`` and ``untagged``.
        until: With ``snoozed``, UTC.
        way: With an assignment: ``manual``: *actor* said so; ``auto``: the assigner; ``rule``: the bot or an automation.
    """

    id: str
    kind: HappeningKind
    at: datetime
    actor_id: str | None = None
    assignee_id: str | None = None
    previous_id: str | None = None
    team_id: str | None = None
    tags: tuple[str, ...] = ()
    until: datetime | None = None
    way: Literal["manual", "auto", "rule"] | None = None


class Scheduled(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is to be sent later.

    Attributes:
        id: ``sch_…``
        author_id: ``usr_…`` or ``key_…``: who wrote it.
        text: Beside a file its caption; empty where it has none.
        message_id: ``msg_…``: with ``sent``, what became of it.
        reason: With ``failed``: a stable code.
        media: The file that goes with it, while it waits.
    """

    id: str
    chat_id: str
    author_id: str
    text: str
    send_at: datetime
    state: Literal["waiting", "sent", "cancelled", "failed"]
    quoted_id: str | None = None
    message_id: str | None = None
    reason: str | None = None
    kind: MessageKind = "text"
    media: "MediaView | None" = None


MediaState = Literal["pending", "ready", "expired", "failed"]


class ContactProfile(msgspec.Struct, frozen=True, kw_only=True):
    """What a team knows of a contact.

    Attributes:
        state_id: ``cst_…``
        tags: ``tag_…`` each.
        fields: By the key of the account's own field.
    """

    state_id: str | None = None
    tags: tuple[str, ...] = ()
    fields: dict[str, str | float | bool] = {}
    email: str | None = None
    blocked: bool = False


class ContactBlock(msgspec.Struct, frozen=True, kw_only=True):
    """How it stands with a contact on WhatsApp itself, over one of the account's numbers.

    Attributes:
        device_id: ``dev_…``
        blocked: Blocked there; with ``pending`` and ``failed``: is to be, or was to be.
        state: ``pending``: the number has not said it yet; ``done``; ``failed``: it was given up.
        reason: A stable code: why it waits (``not-connected``) or was given up.
        by_phone: It was done on the number's own phone.
    """

    device_id: str
    blocked: bool
    state: Literal["pending", "done", "failed"]
    at: datetime
    reason: str | None = None
    by_phone: bool = False


class ImportCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What became, or would become, of the rows of a list.

    Attributes:
        rows: That were looked at.
        reasons: Of the refused ones, by a stable code.
    """

    rows: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: int = 0
    reasons: dict[str, int] = {}


class ContactImport(msgspec.Struct, frozen=True, kw_only=True):
    """A list of contacts on its way in.

    Attributes:
        id: ``imp_…``
        state: ``ready``: nothing was done with it yet; ``checking`` and ``checked``: what would become of it; ``running``, and how
            that ended.
        rows: In the file.
        counts: Of what is being done, or was done last; with ``checking`` and ``checked`` nothing has been written.
        reason: With ``failed``: a stable code; `detail` says it in words.
        author_id: ``usr_…`` or ``key_…``: who brought it.
    """

    id: str
    state: Literal["ready", "checking", "checked", "running", "done", "cancelled", "failed"]
    file_name: str | None
    rows: int
    counts: ImportCounts
    author_id: str
    created_at: datetime
    finished_at: datetime | None = None
    reason: str | None = None
    detail: str | None = None


class MediaView(msgspec.Struct, frozen=True, kw_only=True):
    """A file that belongs to a message.

    Attributes:
        id: ``med_…``
        mime: As its bytes say once it is here; until then as its sender says.
        url: A signed address, relative to Clarin's own, that is good for a day; None until it is ``ready``.
        thumbnail_url: A small JPEG of an image, a sticker or a video; signed as well.
        state: ``expired``: WhatsApp has it no more; ``failed`` may be tried again (``POST /api/media/{id}/retry``).
        waveform: Of a voice note: up to 64 levels from 0 to 100.
    """

    mime: str
    size: int
    file_name: str | None = None
    url: str | None = None
    state: MediaState = "pending"
    id: str | None = None
    thumbnail_url: str | None = None
    seconds: int | None = None
    width: int | None = None
    height: int | None = None
    waveform: tuple[int, ...] | None = None
    reason: str | None = None


class Reaction(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's emoji on a message.

    Attributes:
        sender_name: As he calls himself; None for the number's own.
    """

    emoji: str
    from_me: bool
    at: datetime
    sender_name: str | None = None


class QuotedView(msgspec.Struct, frozen=True, kw_only=True):
    """The message that another one answers, as far as it is known.

    Attributes:
        id: ``msg_…``; None where it is not here.
        text: Its beginning.
    """

    id: str | None
    kind: MessageKind | None
    text: str | None
    from_me: bool | None = None


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a chat.

    Attributes:
        id: ``msg_…``
        chat_id: ``cht_…``
        device_id: ``dev_…``: the number that it came to or goes out from.
        contact_id: ``cnt_…``: the chat's other side; None in a group.
        sender_id: ``cnt_…``: in a group, who of its members wrote it; None elsewhere and for one of ours.
        author_id: ``usr_…`` or, of an API key, ``key_…``: who wrote it here; None for a customer's and for one typed on the phone.
        origin: What made a message of ours; None for a customer's.
        at: When WhatsApp (or, while queued, Clarin) says it was sent, UTC.
        reason: With ``failed`` and ``unknown``: a stable code.
        resend_of: ``msg_…``: the message that failed, in whose place this one was sent.
        edited_at: When its sender last changed its text.
        deleted_at: When its sender took it back for everyone: neither text nor file is here any more.
        disappearing: It came with WhatsApp's mark for messages that go away by themselves.
        view_once: It is to be seen once.
        unsupported: With the kind ``unsupported``: WhatsApp's own name of what it is.
    """

    id: str
    chat_id: str
    device_id: str
    from_me: bool
    kind: MessageKind
    status: MessageStatus
    at: datetime
    contact_id: str | None = None
    author_id: str | None = None
    origin: Origin | None = None
    text: str | None = None
    sender_name: str | None = None
    media: MediaView | None = None
    quoted_id: str | None = None
    reason: str | None = None
    resend_of: str | None = None
    location: Location | None = None
    contacts: tuple[ContactCard, ...] = ()
    reactions: tuple[Reaction, ...] = ()
    quoted: QuotedView | None = None
    edited_at: datetime | None = None
    deleted_at: datetime | None = None
    disappearing: bool = False
    view_once: bool = False
    unsupported: str | None = None
    sender_id: str | None = None
