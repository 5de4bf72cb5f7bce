"""What conversations tells, and what it is told to do."""

from contracts.envelope import Body
from contracts.events import conversations
from contracts.examples.things import AT, CHAT_ID, CONTACT_ID, DEVICE_ID, MESSAGE_ID, USER_ID
from contracts.views import MediaView, MessageStatus

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
    conversations.ContactCreated(id=CONTACT_ID, name="Luis", phone="5215550001111"),
    conversations.ContactChanged(id=CONTACT_ID, name="Luis", phone="5215550001111", merged=CONTACT_ID),
)
