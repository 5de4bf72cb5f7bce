"""One example of everything that travels on the bus: for the documentation, the catalogue of webhooks and the golden bodies."""

from datetime import UTC, datetime
from uuid import UUID

from contracts import ids
from contracts.commands import MarkRead, SendMessage
from contracts.envelope import Audience, Body, Envelope, wrap
from contracts.events import auth, conversations, devices
from contracts.ids import DeviceId, MessageId, TenantId, UserId
from contracts.principal import Actor, Role, Scope
from contracts.views import MediaView, MessageStatus
from contracts.whatsapp import Address, Media, Quoted

AT = datetime(2026, 11, 21, 18, 0, 0, 123000, tzinfo=UTC)
TENANT = TenantId(UUID("01935000-0000-7000-8000-00000000000a"))
USER = UserId(UUID("01935000-0000-7000-8000-00000000000b"))
SESSION = UUID("01935000-0000-7000-8000-00000000000c")
DEVICE = DeviceId(UUID("01935000-0000-7000-8000-00000000000d"))
MESSAGE = MessageId(UUID("01935000-0000-7000-8000-00000000000e"))
CHAT = UUID("01935000-0000-7000-8000-00000000000f")
CONTACT = UUID("01935000-0000-7000-8000-000000000010")
KEY = UUID("01935000-0000-7000-8000-000000000011")
TEAM = UUID("01935000-0000-7000-8000-000000000012")
INVITATION = UUID("01935000-0000-7000-8000-000000000013")
ACTOR = Actor(id=USER, address="192.0.2.7")

_CUSTOMER = Address("pn", "5215550001111")
_LID = Address("lid", "104200000000001")

_MESSAGE_ID = ids.public(ids.MESSAGE, MESSAGE)
_CHAT_ID = ids.public(ids.CHAT, CHAT)
_CONTACT_ID = ids.public(ids.CONTACT, CONTACT)
_DEVICE_ID = ids.public(ids.DEVICE, DEVICE)
_USER_ID = ids.public(ids.USER, USER)

BODIES: tuple[Body, ...] = (
    auth.AccountRegistered(name="Café Luna", locale="es", time_zone="America/Mexico_City", currency="MXN"),
    auth.AccountChanged(
        name="Café Luna",
        locale="es",
        time_zone="America/Mexico_City",
        currency="MXN",
        limits=auth.Limits(devices=3, agents=10, messages_per_day=5_000),
        suspended=False,
        revision=2,
        actor=ACTOR,
    ),
    auth.UserCreated(user=USER, name="Ana", role=Role.OWNER),
    auth.UserChanged(user=USER, name="Ana", role=Role.ADMIN, active=True, version=2),
    auth.PasswordChanged(user=USER, way="own", address="192.0.2.7", actor=ACTOR),
    auth.SessionOpened(user=USER, session=SESSION, client="cookie", address="192.0.2.7"),
    auth.SessionRefused(user=USER, reason="password", address="192.0.2.7"),
    auth.SessionClosed(user=USER, session=SESSION, reason="reused"),
    auth.KeyCreated(key=KEY, name="Tienda", role=Role.AGENT, scopes=(Scope.READ, Scope.SEND), actor=ACTOR),
    auth.KeyChanged(key=KEY, name="Tienda", role=Role.AGENT, scopes=(Scope.READ,), actor=ACTOR),
    auth.KeyRotated(key=KEY, name="Tienda", overlap_until=AT, actor=ACTOR),
    auth.KeyRevoked(key=KEY, name="Tienda", actor=ACTOR),
    auth.TeamCreated(team=TEAM, name="Ventas", members=(USER,), actor=ACTOR),
    auth.TeamChanged(team=TEAM, name="Ventas", members=(USER,), actor=ACTOR),
    auth.TeamDeleted(team=TEAM, name="Ventas", actor=ACTOR),
    auth.InvitationCreated(invitation=INVITATION, role=Role.AGENT, actor=ACTOR),
    auth.InvitationRevoked(invitation=INVITATION, actor=ACTOR),
    devices.DeviceChanged(
        id=_DEVICE_ID,
        name="Ventas",
        state=devices.DeviceState.PAIRING,
        revision=3,
        at=AT,
        reason="qr-shown",
        action="scan-qr",
        phone="5215550009999",
        lid="104200000009999",
    ),
    devices.DeviceDeleted(id=_DEVICE_ID),
    devices.MessageObserved(
        device=DEVICE,
        chat=_CUSTOMER,
        chat_alt=_LID,
        wa_id="3EB0C431C26A1916E07A",
        from_me=False,
        at=AT,
        kind="image",
        text="¿Tienen de este?",
        push_name="Luis",
        quoted=Quoted(wa_id="3EB0AAAA", sender=_CUSTOMER),
        media=Media(mime="image/jpeg", size=70_000, width=640, height=480),
    ),
    devices.ReceiptObserved(device=DEVICE, chat=_CUSTOMER, chat_alt=_LID, wa_ids=["3EB0B1"], status="read", at=AT),
    devices.MessageSent(message=MESSAGE, device=DEVICE, chat=_CUSTOMER, chat_alt=_LID, wa_id="3EB0B1", at=AT),
    devices.MessageUnsent(message=MESSAGE, device=DEVICE, outcome="failed", reason="not-on-whatsapp", at=AT),
    conversations.MessageReceived(
        id=_MESSAGE_ID,
        chat_id=_CHAT_ID,
        device_id=_DEVICE_ID,
        contact_id=_CONTACT_ID,
        from_me=False,
        kind="image",
        status=MessageStatus.RECEIVED,
        at=AT,
        text="¿Tienen de este?",
        sender_name="Luis",
        media=MediaView(mime="image/jpeg", size=70_000),
    ),
    conversations.MessageQueued(
        id=_MESSAGE_ID,
        chat_id=_CHAT_ID,
        device_id=_DEVICE_ID,
        contact_id=_CONTACT_ID,
        author_id=_USER_ID,
        from_me=True,
        kind="text",
        status=MessageStatus.QUEUED,
        at=AT,
        text="Sí, en azul.",
    ),
    conversations.MessageReplaced(
        id=_MESSAGE_ID,
        chat_id=_CHAT_ID,
        device_id=_DEVICE_ID,
        contact_id=_CONTACT_ID,
        from_me=False,
        kind="text",
        status=MessageStatus.RECEIVED,
        at=AT,
        text="Ahora sí se lee.",
    ),
    conversations.MessageConfirmed(
        id=_MESSAGE_ID,
        chat_id=_CHAT_ID,
        device_id=_DEVICE_ID,
        contact_id=_CONTACT_ID,
        author_id=_USER_ID,
        from_me=True,
        kind="text",
        status=MessageStatus.SENT,
        at=AT,
        text="Sí, en azul.",
    ),
    conversations.MessageAdvanced(
        id=_MESSAGE_ID, chat_id=_CHAT_ID, device_id=_DEVICE_ID, status=MessageStatus.FAILED, at=AT, reason="not-on-whatsapp"
    ),
    conversations.ChatRead(id=_CHAT_ID, unread=0, at=AT),
    conversations.ContactCreated(id=_CONTACT_ID, name="Luis", phone="5215550001111"),
    conversations.ContactChanged(id=_CONTACT_ID, name="Luis", phone="5215550001111", merged=_CONTACT_ID),
    SendMessage(
        message=MESSAGE, device=DEVICE, to=_CUSTOMER, kind="text", text="Sí, en azul.", expires_at=datetime(2026, 11, 22, 18, tzinfo=UTC)
    ),
    MarkRead(device=DEVICE, chat=_CUSTOMER, wa_ids=["3EB0C431C26A1916E07A"], at=AT),
)


def envelopes() -> list[Envelope[Body]]:
    """Wrap every example, always alike."""
    return [
        wrap(
            TENANT,
            body,
            id=body.identity() or ids.derived("example", body.topic.type, body.topic.version),
            occurred_at=AT,
            audience=Audience(device=DEVICE) if body.topic.public else None,
        )
        for body in BODIES
    ]
