"""Facts as the device-worker tells them, made up."""

from datetime import UTC, datetime, timedelta
from typing import Any

from contracts import ids
from contracts.envelope import Envelope, wrap
from contracts.events.devices import (
    DeviceChanged,
    DeviceDeleted,
    DeviceState,
    MessageObserved,
    MessageSent,
    MessageUnreadable,
    MessageUnsent,
    ReceiptObserved,
)
from contracts.ids import DeviceId, MessageId, TenantId
from contracts.whatsapp import Address

NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
ANA = Address("pn", "5511912345678")
ANA_LID = Address("lid", "99887766554433")
BEA = Address("pn", "5491198765432")


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def a_message(tenant: TenantId, device: DeviceId, **changes: Any) -> Envelope[Any]:
    fields: dict[str, Any] = {"chat": ANA, "wa_id": str(ids.new()), "from_me": False, "at": NOON, "kind": "text", "text": "Hola"} | changes
    return wrap(tenant, MessageObserved(device=device, **fields))


def a_placeholder(tenant: TenantId, device: DeviceId, **changes: Any) -> Envelope[Any]:
    return a_message(tenant, device, **({"kind": "undecryptable", "text": None} | changes))


def a_receipt(tenant: TenantId, device: DeviceId, *wa_ids: str, **changes: Any) -> Envelope[Any]:
    fields: dict[str, Any] = {"chat": ANA, "status": "delivered", "at": later(3600)} | changes
    return wrap(tenant, ReceiptObserved(device=device, wa_ids=list(wa_ids), **fields))


def a_sent(tenant: TenantId, device: DeviceId, message: MessageId, wa_id: str, **changes: Any) -> Envelope[Any]:
    fields: dict[str, Any] = {"chat": ANA, "at": later(60)} | changes
    return wrap(tenant, MessageSent(message=message, device=device, wa_id=wa_id, **fields))


def an_unsent(tenant: TenantId, device: DeviceId, message: MessageId, outcome: str, **changes: Any) -> Envelope[Any]:
    fields: dict[str, Any] = {"reason": "worker-lost", "at": later(60)} | changes
    return wrap(tenant, MessageUnsent(message=message, device=device, outcome=outcome, **fields))


def an_unreadable(tenant: TenantId, device: DeviceId, wa_id: str, **changes: Any) -> Envelope[Any]:
    fields: dict[str, Any] = {"chat": ANA, "at": later(120)} | changes
    return wrap(tenant, MessageUnreadable(device=device, wa_id=wa_id, **fields))


def a_device(tenant: TenantId, device: DeviceId, **changes: Any) -> Envelope[Any]:
    fields: dict[str, Any] = {"name": "Ventas", "state": DeviceState.CONNECTED, "revision": 1, "at": NOON} | changes
    return wrap(tenant, DeviceChanged(id=ids.public(ids.DEVICE, device), **fields))


def a_deletion(tenant: TenantId, device: DeviceId) -> Envelope[Any]:
    return wrap(tenant, DeviceDeleted(id=ids.public(ids.DEVICE, device)))
