"""What conversations tells, and what it is told to do."""

from datetime import date

from contracts import ids
from contracts.commands import ChangeChat, WriteMessage
from contracts.envelope import Body
from contracts.events import conversations
from contracts.examples.things import (
    ACTOR,
    AT,
    CHAT,
    CHAT_ID,
    CONTACT_ID,
    DEVICE,
    DEVICE_ID,
    MEDIA_ID,
    MESSAGE,
    MESSAGE_ID,
    TAG,
    TAG_ID,
    TEAM_ID,
    USER,
    USER_ID,
)
from contracts.hours import Assigned, Holiday, Hours, Weekly
from contracts.ids import ChatId
from contracts.views import MediaView, MessageStatus, Reaction

BODIES: tuple[Body, ...] = (
    conversations.MessageReceived(
        id=MESSAGE_ID,
        chat_id=CHAT_ID,
        device_id=DEVICE_ID,
        contact_id=CONTACT_ID,
        from_me=False,
        kind="image",
        status=MessageStatus.RECEIVED,
        at=AT,
        text="¿Tienen de este?",
        sender_name="Luis",
        media=MediaView(mime="image/jpeg", size=70_000),
    ),
    conversations.MessageQueued(
        id=MESSAGE_ID,
        chat_id=CHAT_ID,
        device_id=DEVICE_ID,
        contact_id=CONTACT_ID,
        author_id=USER_ID,
        from_me=True,
        kind="text",
        status=MessageStatus.QUEUED,
        at=AT,
        text="Sí, en azul.",
    ),
    conversations.MessageReplaced(
        id=MESSAGE_ID,
        chat_id=CHAT_ID,
        device_id=DEVICE_ID,
        contact_id=CONTACT_ID,
        from_me=False,
        kind="text",
        status=MessageStatus.RECEIVED,
        at=AT,
        text="Ahora sí se lee.",
    ),
    conversations.MessageConfirmed(
        id=MESSAGE_ID,
        chat_id=CHAT_ID,
        device_id=DEVICE_ID,
        contact_id=CONTACT_ID,
        author_id=USER_ID,
        from_me=True,
        kind="text",
        status=MessageStatus.SENT,
        at=AT,
        text="Sí, en azul.",
    ),
    conversations.MessageAdvanced(
        id=MESSAGE_ID, chat_id=CHAT_ID, device_id=DEVICE_ID, status=MessageStatus.FAILED, at=AT, reason="not-on-whatsapp"
    ),
    conversations.ChatRead(id=CHAT_ID, unread=0, at=AT),
    conversations.ChatCreated(
        id=CHAT_ID, device_id=DEVICE_ID, contact_id=CONTACT_ID, name="Luis", status="open", revision=0, at=AT, unread=1, waiting_since=AT
    ),
    conversations.ChatChanged(
        id=CHAT_ID,
        device_id=DEVICE_ID,
        contact_id=CONTACT_ID,
        name="Luis",
        status="open",
        revision=4,
        at=AT,
        assignee_id=USER_ID,
        team_id=TEAM_ID,
        tags=(TAG_ID,),
        actor=ACTOR,
    ),
    conversations.ChatAssigned(
        id=CHAT_ID,
        device_id=DEVICE_ID,
        assignee_id=USER_ID,
        team_id=TEAM_ID,
        at=AT,
        way="manual",
        note="Pide el azul.",
        actor=ACTOR,
    ),
    conversations.ContactCreated(id=CONTACT_ID, name="Luis", phone="5215550001111"),
    conversations.ContactChanged(id=CONTACT_ID, name="Luis", phone="5215550001111", merged=CONTACT_ID),
    conversations.NoteAdded(
        id=MESSAGE_ID,
        chat_id=CHAT_ID,
        device_id=DEVICE_ID,
        contact_id=CONTACT_ID,
        author_id=USER_ID,
        origin="user",
        from_me=True,
        kind="note",
        status=MessageStatus.SENT,
        at=AT,
        text="@Ana, ¿nos queda en azul?",
        mentions=(USER_ID,),
    ),
    conversations.UserMentioned(
        user_id=USER_ID, chat_id=CHAT_ID, message_id=MESSAGE_ID, author_id=USER_ID, text="@Ana, ¿nos queda en azul?", at=AT
    ),
    conversations.ScheduleChanged(
        id=ids.public(ids.SCHEDULED, MESSAGE), chat_id=CHAT_ID, author_id=USER_ID, text="¿Te llegó?", send_at=AT, state="waiting"
    ),
    conversations.TagChanged(id=TAG_ID, name="VIP", color="#7048e8"),
    conversations.HoursChanged(
        sets=(
            Assigned(
                hours=Hours(
                    time_zone="America/Santiago",
                    weekly=(Weekly(day=0, opens="09:00", closes="18:00"),),
                    holidays=(Holiday(date=date(2026, 12, 25), name="Navidad"),),
                ),
                devices=(DEVICE,),
            ),
        ),
        revision=1,
    ),
    conversations.MessageEdited(
        id=MESSAGE_ID,
        chat_id=CHAT_ID,
        device_id=DEVICE_ID,
        contact_id=CONTACT_ID,
        from_me=False,
        kind="text",
        status=MessageStatus.RECEIVED,
        at=AT,
        text="¿Tienen de este en azul?",
        edited_at=AT,
    ),
    conversations.MessageDeleted(
        id=MESSAGE_ID,
        chat_id=CHAT_ID,
        device_id=DEVICE_ID,
        contact_id=CONTACT_ID,
        from_me=False,
        kind="text",
        status=MessageStatus.RECEIVED,
        at=AT,
        deleted_at=AT,
    ),
    conversations.MessageReacted(
        id=MESSAGE_ID,
        chat_id=CHAT_ID,
        device_id=DEVICE_ID,
        contact_id=CONTACT_ID,
        from_me=False,
        kind="text",
        status=MessageStatus.RECEIVED,
        at=AT,
        text="¿Tienen de este?",
        reactions=(Reaction(emoji="👍", from_me=True, at=AT),),
    ),
    conversations.MediaChanged(
        id=MESSAGE_ID,
        chat_id=CHAT_ID,
        device_id=DEVICE_ID,
        contact_id=CONTACT_ID,
        from_me=False,
        kind="image",
        status=MessageStatus.RECEIVED,
        at=AT,
        media=MediaView(
            id=MEDIA_ID,
            mime="image/jpeg",
            size=70_000,
            state="ready",
            url="/api/media/file?token=b3BhcXVl",
            thumbnail_url="/api/media/file?token=b3BhcXVm",
        ),
    ),
    WriteMessage(chat=ChatId(CHAT), origin="bot", text="¡Hola! Enseguida te atendemos.", unless_answered_since=AT),
    ChangeChat(chat=ChatId(CHAT), origin="automation", assignee=USER, add_tags=(TAG,)),
)
