"""Facts as auth and conversations tell them, made up."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from contracts import ids
from contracts.envelope import Envelope, wrap
from contracts.events.auth import AccountRegistered, UserCreated
from contracts.events.conversations import ChatAssigned, ChatChanged, ChatCreated, ContactCreated, MessageReceived
from contracts.ids import ChatId, ContactId, DeviceId, TenantId, UserId
from contracts.principal import Role
from contracts.views import MessageStatus


def soon(seconds: float = 0) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def an_account(tenant: TenantId, **changes: Any) -> Envelope[Any]:
    fields: dict[str, Any] = {"name": "Café Luna", "locale": "es", "time_zone": "America/Mexico_City", "currency": "MXN"} | changes
    return wrap(tenant, AccountRegistered(**fields))


def a_user(tenant: TenantId, user: UserId, name: str = "Beto") -> Envelope[Any]:
    return wrap(tenant, UserCreated(user=user, name=name, role=Role.AGENT))


def a_contact(tenant: TenantId, contact: UUID, name: str | None = "Luis", phone: str | None = "5215550001111") -> Envelope[Any]:
    return wrap(tenant, ContactCreated(id=ids.public(ids.CONTACT, contact), name=name, phone=phone))


def a_message(tenant: TenantId, device: DeviceId, chat: UUID, text: str | None = "Hola", **changes: Any) -> Envelope[Any]:
    occurred_at = changes.pop("occurred_at", None)
    contact = changes.pop("contact", None)
    fields: dict[str, Any] = {
        "id": ids.public(ids.MESSAGE, ids.new()),
        "chat_id": ids.public(ids.CHAT, chat),
        "device_id": ids.public(ids.DEVICE, device),
        "contact_id": None if contact is None else ids.public(ids.CONTACT, contact),
        "from_me": False,
        "kind": "text",
        "status": MessageStatus.RECEIVED,
        "at": soon(),
        "text": text,
    } | changes
    return wrap(tenant, MessageReceived(**fields), occurred_at=occurred_at)


def a_chat(tenant: TenantId, device: DeviceId, chat: UUID, *, revision: int = 1, **changes: Any) -> Envelope[Any]:
    contact, assignee, tags = changes.pop("contact", None), changes.pop("assignee", None), changes.pop("tags", ())
    fields: dict[str, Any] = {
        "id": ids.public(ids.CHAT, chat),
        "device_id": ids.public(ids.DEVICE, device),
        "contact_id": None if contact is None else ids.public(ids.CONTACT, contact),
        "name": None,
        "status": "open",
        "revision": revision,
        "at": soon(),
        "assignee_id": None if assignee is None else ids.public(ids.USER, assignee),
        "tags": tuple(ids.public(ids.TAG, tag) for tag in tags),
    } | changes
    return wrap(tenant, (ChatCreated if revision == 0 else ChatChanged)(**fields))


def an_assignment(tenant: TenantId, device: DeviceId, chat: UUID, assignee: UserId | None, **changes: Any) -> Envelope[Any]:
    fields: dict[str, Any] = {
        "id": ids.public(ids.CHAT, chat),
        "device_id": ids.public(ids.DEVICE, device),
        "assignee_id": None if assignee is None else ids.public(ids.USER, assignee),
        "team_id": None,
        "at": soon(),
        "way": "manual",
    } | changes
    return wrap(tenant, ChatAssigned(**fields))


def public(prefix: str, id: UUID) -> str:
    return ids.public(prefix, id)


def new_chat() -> ChatId:
    return ChatId(ids.new())


def new_contact() -> ContactId:
    return ContactId(ids.new())


def new_user() -> UserId:
    return UserId(ids.new())
