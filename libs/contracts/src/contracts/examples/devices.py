"""What the device-worker tells, and what it is told to do."""

from datetime import UTC, datetime

from contracts.commands import BlockPerson, FetchMedia, MarkRead, SendMessage
from contracts.envelope import Body
from contracts.events import devices
from contracts.examples.things import ACTOR, AT, CONTACT, CUSTOMER, DEVICE, DEVICE_ID, LID, MESSAGE, TENANT
from contracts.media import object_key
from contracts.whatsapp import Address, Media, MediaSource, Quoted

BODIES: tuple[Body, ...] = (
    devices.DeviceChanged(
        id=DEVICE_ID,
        name="Ventas",
        state=devices.DeviceState.PAIRING,
        revision=3,
        at=AT,
        reason="qr-shown",
        action="scan-qr",
        phone="5215550009999",
        lid="104200000009999",
    ),
    devices.DeviceDeleted(id=DEVICE_ID),
    devices.DeviceOrdered(id=DEVICE_ID, name="Ventas", order="connect", actor=ACTOR),
    devices.MessageObserved(
        device=DEVICE,
        chat=CUSTOMER,
        chat_alt=LID,
        wa_id="3EB0C431C26A1916E07A",
        from_me=False,
        at=AT,
        kind="image",
        text="¿Tienen de este?",
        push_name="Luis",
        quoted=Quoted(wa_id="3EB0AAAA", sender=CUSTOMER),
        media=Media(mime="image/jpeg", size=70_000, width=640, height=480),
    ),
    devices.GroupObserved(device=DEVICE, chat=Address("group", "120363000000000001"), subject="Vecinos", members=12, at=AT),
    devices.ReceiptObserved(device=DEVICE, chat=CUSTOMER, chat_alt=LID, wa_ids=["3EB0B1"], status="read", at=AT),
    devices.MessageSent(message=MESSAGE, device=DEVICE, chat=CUSTOMER, chat_alt=LID, wa_id="3EB0B1", at=AT),
    devices.MessageUnsent(message=MESSAGE, device=DEVICE, outcome="failed", reason="not-on-whatsapp", at=AT),
    devices.MessageUnreadable(device=DEVICE, chat=CUSTOMER, wa_id="3EB0B1", at=AT),
    devices.SendingPaused(id=DEVICE_ID, reason="sent-to-too-many-people", until=datetime(2026, 11, 22, 18, tzinfo=UTC), at=AT),
    devices.SendingResumed(id=DEVICE_ID, at=AT),
    SendMessage(
        message=MESSAGE, device=DEVICE, to=CUSTOMER, kind="text", text="Sí, en azul.", expires_at=datetime(2026, 11, 22, 18, tzinfo=UTC)
    ),
    MarkRead(device=DEVICE, chat=CUSTOMER, wa_ids=["3EB0C431C26A1916E07A"], at=AT),
    FetchMedia(
        media=MESSAGE,
        device=DEVICE,
        kind="image",
        source=MediaSource(path="/v/t62/1?ccb=1", key=b"k" * 32, enc_sha256=b"e" * 32, sha256=b"s" * 32),
        size=70_000,
    ),
    BlockPerson(block=CONTACT, device=DEVICE, addresses=(CUSTOMER, LID), blocked=True, revision=1),
    devices.BlockSettled(block=CONTACT, device=DEVICE, blocked=True, revision=1, outcome="failed", at=AT, reason="not-on-whatsapp"),
    devices.BlockObserved(device=DEVICE, address=LID, blocked=True, at=AT),
    devices.BlocksListed(device=DEVICE, addresses=(LID,), at=AT),
    devices.HistoryAdvanced(id=DEVICE_ID, at=AT, chats=12, messages=340, progress=60),
    devices.MediaStored(
        media=MESSAGE, device=DEVICE, object=object_key(TENANT, "ab" * 32), mime="image/jpeg", size=70_000, sha256="ab" * 32
    ),
    devices.MediaFailed(media=MESSAGE, device=DEVICE, reason="media-expired"),
)
