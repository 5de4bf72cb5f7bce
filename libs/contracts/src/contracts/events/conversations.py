"""What the conversations service tells, after its commit. Public: a frame's data and a webhook's are these bodies as they are."""

from datetime import datetime
from typing import Literal

from contracts.envelope import Body, event
from contracts.hours import Assigned
from contracts.principal import Actor
from contracts.views import ChatState, ContactBlock, ContactImport, ContactProfile, Happening, Message, MessageStatus, Scheduled


@event("conversations.message.received", 1, public=True, frame="new_message", webhook="message.received")
class MessageReceived(Message, Body, frozen=True, kw_only=True):
    """A message is in a chat that WhatsApp brought: a customer's, or one typed on the number's own phone (``from_me``).

    Attributes:
        history: It came with pairing, as old: no unread, no bot, no notice.
        group: The chat is a group's.
    """

    history: bool = False
    group: bool = False


@event("conversations.message.queued", 1, public=True, frame="message_queued", webhook="message.queued")
class MessageQueued(Message, Body, frozen=True, kw_only=True):
    """A message was written here and waits to be sent."""


@event("conversations.message.replaced", 1, public=True, frame="message_replaced", webhook="message.replaced")
class MessageReplaced(Message, Body, frozen=True, kw_only=True):
    """A placeholder that could not be decrypted has its content now."""


@event("conversations.message.confirmed", 1, public=True, frame="message_sent", webhook="message.sent")
class MessageConfirmed(Message, Body, frozen=True, kw_only=True):
    """WhatsApp took a message of ours: one tick.

    Attributes:
        replaces: ``msg_…``: the copy of it that came from WhatsApp first and was shown until now; this message stands in its place.
    """

    replaces: str | None = None


@event("conversations.message.advanced", 1, public=True, frame="message_status", webhook="message.ack")
class MessageAdvanced(Body, frozen=True, kw_only=True):
    """A message's status moved: delivered, read, played, failed, unknown.

    Attributes:
        reason: With ``failed`` and ``unknown``: a stable code. ``not-readable`` is the one that comes after ``sent``: the customer's phone
            has the message and could not read it; a later tick settles it, and it may be sent again.
    """

    id: str
    chat_id: str
    device_id: str
    status: MessageStatus
    at: datetime
    reason: str | None = None


@event("conversations.chat.read", 1, public=True, frame="chat_read", webhook="chat.read")
class ChatRead(Body, frozen=True, kw_only=True):
    """Nothing in the chat up to *at* is unread any more.

    Attributes:
        user_id: ``usr_…``: who looked; None where it was the number's own phone or a program.
    """

    id: str
    unread: int
    at: datetime
    user_id: str | None = None


@event("conversations.chat.marked", 1, public=True, frame="chat_marked", webhook="chat.marked")
class ChatMarked(Body, frozen=True, kw_only=True):
    """Somebody has marked the chat as unread for himself, or has read what he had marked: news for his other windows.

    Attributes:
        user_id: ``usr_…``, or ``key_…`` of a program: whose mark it is.
    """

    id: str
    user_id: str
    unread: bool
    at: datetime


@event("conversations.chat.created", 1, public=True, frame="chat_created", webhook="chat.created")
class ChatCreated(ChatState, Body, frozen=True, kw_only=True):
    """A thread with somebody has begun.

    Attributes:
        happened: What else happened to it with that, such as its first assignment.
    """

    happened: tuple[Happening, ...] = ()


@event("conversations.chat.changed", 1, public=True, frame="chat_changed", webhook="chat.changed")
class ChatChanged(ChatState, Body, frozen=True, kw_only=True):
    """The chat stands like this now: its status, tags, who answers it, who waits.

    Attributes:
        actor: Who did it; None where a message, time or a rule did.
        happened: What is another than before, as it stands between the chat's messages from now on.
        merged: ``cht_…`` each: threads that turned out to be this one, and are no more; their ids lead here.
    """

    actor: Actor | None = None
    merged: tuple[str, ...] = ()
    happened: tuple[Happening, ...] = ()


@event("conversations.chat.assigned", 1, public=True, frame="chat_assigned", webhook="chat.assigned")
class ChatAssigned(Body, frozen=True, kw_only=True):
    """Somebody else (or nobody) answers the chat from now on. Who sees it since fetches the chat.

    Attributes:
        assignee_id: ``usr_…``; None: taken from everybody.
        way: ``manual``: *actor* said so; ``auto``: the assigner; ``rule``: the bot or an automation.
        note: What was said with it.
    """

    id: str
    device_id: str
    assignee_id: str | None
    team_id: str | None
    at: datetime
    way: Literal["manual", "auto", "rule"]
    previous_id: str | None = None
    previous_team_id: str | None = None
    note: str | None = None
    actor: Actor | None = None


@event("conversations.contact.created", 1, public=True, frame="contact_created", webhook="contact.created")
class ContactCreated(Body, frozen=True, kw_only=True):
    """Somebody is known now.

    Attributes:
        profile: What is known of it from the start, where somebody brought it with a list.
    """

    id: str
    name: str | None
    phone: str | None
    profile: ContactProfile | None = None


@event("conversations.contact.changed", 1, public=True, frame="contact_changed", webhook="contact.changed")
class ContactChanged(Body, frozen=True, kw_only=True):
    """A contact has another name, one more address, or more is known of it.

    Attributes:
        merged: The contact that it now stands for as well.
        profile: What is known of it now; None where that did not change.
        deed: What somebody did to it, who is then named as *actor*; on the number's own phone nobody is.
        blocks: How it stands on WhatsApp itself, number by number; None where that did not change.
    """

    id: str
    name: str | None
    phone: str | None
    merged: str | None = None
    profile: ContactProfile | None = None
    deed: Literal["merged", "blocked", "unblocked"] | None = None
    actor: Actor | None = None
    blocks: tuple[ContactBlock, ...] | None = None


@event("conversations.import.changed", 1, public=True, frame="import_changed", webhook="contact.import")
class ImportChanged(ContactImport, Body, frozen=True, kw_only=True):
    """A list of contacts was begun, has come this far, or is over.

    Attributes:
        actor: Who began or cancelled it; None where it went on by itself.
    """

    actor: Actor | None = None


@event("conversations.contact.erased", 1, public=True, frame="contact_erased", webhook="contact.erased")
class ContactErased(Body, frozen=True, kw_only=True):
    """Somebody was erased: whoever keeps something of them by these ids deletes it. Nothing here says who it was.

    Attributes:
        erasure_id: ``ers_…``
        merged: ``cnt_…`` each: the contacts that it stood for as well.
        chat_ids: ``cht_…`` each: the threads that are gone with it, and those that had become one of them.
        message_ids: ``msg_…`` each: what it wrote in groups of late, which is gone as well.
    """

    id: str
    erasure_id: str
    at: datetime
    merged: tuple[str, ...] = ()
    chat_ids: tuple[str, ...] = ()
    message_ids: tuple[str, ...] = ()
    actor: Actor | None = None


@event("conversations.note.added", 1, public=True, frame="new_note", webhook="note.added")
class NoteAdded(Message, Body, frozen=True, kw_only=True):
    """Somebody wrote something beside a chat that the customer never gets.

    Attributes:
        mentions: ``usr_…``: who is meant by it.
    """

    mentions: tuple[str, ...] = ()


@event("conversations.user.mentioned", 1, public=True, frame="mentioned", webhook="user.mentioned")
class UserMentioned(Body, frozen=True, kw_only=True):
    """A note names somebody, who sees the chat: one for each.

    Attributes:
        user_id: ``usr_…``: who is named.
        author_id: ``usr_…`` or ``key_…``: who wrote it; None for a rule.
        message_id: ``msg_…``: the note.
    """

    user_id: str
    chat_id: str
    message_id: str
    author_id: str | None
    text: str
    at: datetime


@event("conversations.schedule.changed", 1, public=True, frame="schedule_changed", webhook="schedule.changed")
class ScheduleChanged(Scheduled, Body, frozen=True, kw_only=True):
    """A message that is to be sent later was written, changed, cancelled, sent, or could not be sent."""


@event("conversations.tag.changed", 1, public=True, frame="tag_changed", webhook="tag.changed")
class TagChanged(Body, frozen=True, kw_only=True):
    """A tag has this name and colour; with *deleted* it is no more, and nothing bears it.

    Attributes:
        color: ``#rrggbb``.
    """

    id: str
    name: str
    color: str
    deleted: bool = False


@event("conversations.hours.changed", 1)
class HoursChanged(Body, frozen=True, kw_only=True):
    """The account's service hours are now these, all of them.

    Attributes:
        revision: Grows by one with each change: a lower one than the last seen is old news.
    """

    sets: tuple[Assigned, ...]
    revision: int


@event("conversations.message.edited", 1, public=True, frame="message_edited", webhook="message.edited")
class MessageEdited(Message, Body, frozen=True, kw_only=True):
    """A message has another text; its sender changed it. The message as it stands now.

    Attributes:
        failed: A stable code: it was to be changed from here and was not; the message stands as before.
    """

    failed: str | None = None


@event("conversations.message.deleted", 1, public=True, frame="message_deleted", webhook="message.deleted")
class MessageDeleted(Message, Body, frozen=True, kw_only=True):
    """A message was taken back for everyone. The message as it stands now, without its content.

    Attributes:
        failed: A stable code: it was to be taken back from here and was not.
    """

    failed: str | None = None


@event("conversations.message.reacted", 1, public=True, frame="message_reacted", webhook="message.reacted")
class MessageReacted(Message, Body, frozen=True, kw_only=True):
    """Somebody has put an emoji on a message, or taken it away. The message as it stands now.

    Attributes:
        failed: A stable code: the reaction was to be sent from here and was not.
    """

    failed: str | None = None


@event("conversations.media.changed", 1, public=True, frame="message_media", webhook="message.media")
class MediaChanged(Message, Body, frozen=True, kw_only=True):
    """A message's file is here now, or could not be had. The message as it stands now."""
