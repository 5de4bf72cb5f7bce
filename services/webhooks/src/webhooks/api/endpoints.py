"""Webhooks: making, changing, rotating, removing, and sending an example."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
from contracts import ids
from contracts.edge import PublicWebhookId
from contracts.ids import DeviceId
from fastapi import APIRouter, Response
from servicekit import cursors
from servicekit.db import Tx, raw
from servicekit.http import Admin, Caller, Cursor, Limit, Page, problems
from servicekit.http.bodies import PAGE
from servicekit.idempotency import Idempotency, Idempotent, InFlight, Mismatch, Stored
from servicekit.vault import Vault, WrongEncryptionKey

from webhooks.api.parts import Db, Settings, WithVault, seen
from webhooks.api.shapes import (
    DeliveryOut,
    EventTypeOut,
    EventTypes,
    ExampleOrder,
    NewWebhook,
    SecretRotation,
    WebhookChange,
    WebhookOut,
    WebhookShown,
)
from webhooks.domain import addresses, headers, signing, types
from webhooks.domain.endpoints import MOST, Endpoint, State, may_send
from webhooks.domain.problems import (
    AddressRefused,
    HeaderRefused,
    SecretGone,
    SeesLess,
    TooManyWebhooks,
    TypeUnknown,
    WebhookMissing,
    WebhookNotEnabled,
)
from webhooks.domain.schedule import Health
from webhooks.store import deliveries, endpoints, lanes
from webhooks.store.deliveries import New

_VIEW = "webhooks"
_ANSWER = "answer"
_NOT_STORED = {"Cache-Control": "no-store"}

router = APIRouter(prefix="/api/webhooks", tags=["webhooks"])


@router.get("", responses=problems(cursors.BadCursor))
async def list_webhooks(admin: Admin, db: Db, cursor: Cursor = None, limit: Limit = PAGE) -> Page[WebhookOut]:
    """List the account's webhooks, in the order in which they were made, without their secrets."""
    after = cursors.decode(admin.tenant, _VIEW, cursor, tuple[UUID])[0] if cursor else None
    if admin.access.chats != "all":
        return Page(items=[])
    async with db.transaction(admin.tenant) as tx:
        c = await raw(tx)
        found = await endpoints.page(c, admin.tenant, after=after, limit=limit + 1, devices=admin.access.devices)
        fared = await lanes.healths(c, admin.tenant, [one.id for one in found])
    more = cursors.encode(admin.tenant, _VIEW, (found[limit - 1].id,)) if len(found) > limit else None
    return Page(items=[WebhookOut.of(one, fared.get(one.id, Health())) for one in found[:limit]], next_cursor=more)


@router.post(
    "",
    status_code=201,
    response_model=WebhookShown,
    responses=problems(AddressRefused, TypeUnknown, HeaderRefused, SeesLess, TooManyWebhooks, SecretGone, InFlight, Mismatch),
)
async def create_webhook(body: NewWebhook, admin: Admin, db: Db, settings: Settings, vault: WithVault, idem: Idempotent) -> Response:
    """Make a webhook. The secret that its deliveries are signed with is in this answer and in no other."""
    devices = None if body.devices is None else frozenset(body.devices)
    may_send(admin, devices)
    id, secret = ids.new(), signing.secret()
    own = headers.checked(body.headers)
    endpoint = Endpoint(
        tenant=admin.tenant,
        id=id,
        url=addresses.url(body.url, settings.allowed, production=settings.env == "production"),
        types=types.checked(body.types),
        description=body.description,
        devices=devices,
        format=body.format,
        ordered=body.ordered,
        rate_per_minute=body.rate_per_minute,
        concurrency=body.concurrency,
        header_names=tuple(own),
        headers=_sealed(vault, id, own),
        secret=_seal(vault, id, secret),
        created_by=admin.id,
        created_at=datetime.now(UTC),
    )
    async with db.transaction(admin.tenant) as tx:
        if stored := await idem.begin(tx):
            return _again(stored, vault)
        c = await raw(tx)
        if await endpoints.count(c, admin.tenant) >= MOST:
            raise TooManyWebhooks(f"An account has {MOST} webhooks at most.")
        await endpoints.add(c, endpoint)
        shown = WebhookShown.with_secret(endpoint, Health(), secret).model_dump_json().encode()
        return await _finish(tx, idem, vault, 201, shown)


@router.get("/event-types")
async def list_event_types(caller: Caller) -> EventTypes:
    """List every type of event, with an example of what its deliveries hold."""
    return EventTypes(items=[EventTypeOut(type=type.name, description=type.description, example=type.example) for type in types.CATALOGUE])


@router.get("/{id}", responses=problems(WebhookMissing))
async def read_webhook(id: PublicWebhookId, admin: Admin, db: Db) -> WebhookOut:
    """Read a webhook, without its secret."""
    async with db.transaction(admin.tenant) as tx:
        c = await raw(tx)
        endpoint = await seen(c, admin, id)
        return WebhookOut.of(endpoint, await lanes.health(c, (admin.tenant, id)))


@router.patch("/{id}", responses=problems(WebhookMissing, AddressRefused, TypeUnknown, HeaderRefused, SeesLess))
async def change_webhook(
    id: PublicWebhookId, body: WebhookChange, admin: Admin, db: Db, settings: Settings, vault: WithVault
) -> WebhookOut:
    """Change a webhook, pause it, or enable it again; the next delivery feels it."""
    given = body.model_fields_set
    changes: dict[str, object] = {
        name: getattr(body, name) for name in given & {"description", "format", "ordered", "rate_per_minute", "concurrency"}
    }
    if body.url is not None:
        changes["url"] = addresses.url(body.url, settings.allowed, production=settings.env == "production")
    if body.types is not None:
        changes["types"] = types.checked(body.types)
    if "devices" in given:
        devices: frozenset[DeviceId] | None = None if body.devices is None else frozenset(body.devices)
        may_send(admin, devices)
        changes["devices"] = devices
    if body.headers is not None:
        own = headers.checked(body.headers)
        changes |= {"header_names": tuple(own), "headers": _sealed(vault, id, own)}
    if body.state is not None:
        changes |= {"state": State(body.state), "reason": None}
    key = admin.tenant, id
    async with db.transaction(admin.tenant) as tx:
        c = await raw(tx)
        await seen(c, admin, id)
        # another address may be well, and who enables it means that it is
        await lanes.wake(c, [key], probe=True, well="url" in changes or body.state == "enabled")
        before = await seen(c, admin, id, lock=True)
        endpoint = replace(before, **changes, revision=before.revision + 1)  # type: ignore[arg-type]
        await endpoints.save(c, endpoint)
        return WebhookOut.of(endpoint, await lanes.health(c, key))


@router.delete("/{id}", status_code=204, response_class=Response, responses=problems(WebhookMissing))
async def delete_webhook(id: PublicWebhookId, admin: Admin, db: Db) -> None:
    """Remove a webhook; what waits for it is not sent."""
    async with db.transaction(admin.tenant) as tx:
        c = await raw(tx)
        await lanes.lock(c, (admin.tenant, id))
        await seen(c, admin, id, lock=True)
        await endpoints.remove(c, admin.tenant, id)


@router.post("/{id}/rotate", response_model=WebhookShown, responses=problems(WebhookMissing, SecretGone, InFlight, Mismatch))
async def rotate_webhook(
    id: PublicWebhookId, admin: Admin, db: Db, vault: WithVault, idem: Idempotent, body: SecretRotation | None = None
) -> Response:
    """Give a webhook another secret. Until the overlap ends deliveries bear the signatures of both."""
    overlap = timedelta(seconds=(body or SecretRotation()).overlap_seconds)
    secret = signing.secret()
    async with db.transaction(admin.tenant) as tx:
        if stored := await idem.begin(tx):
            return _again(stored, vault)
        c = await raw(tx)
        endpoint = (await seen(c, admin, id, lock=True)).rotated(_seal(vault, id, secret), datetime.now(UTC), overlap)
        await endpoints.save(c, endpoint)
        health = await lanes.health(c, (admin.tenant, id))
        shown = WebhookShown.with_secret(endpoint, health, secret).model_dump_json().encode()
        return await _finish(tx, idem, vault, 200, shown)


@router.post(
    "/{id}/test",
    status_code=202,
    response_model=DeliveryOut,
    responses=problems(WebhookMissing, TypeUnknown, WebhookNotEnabled, InFlight, Mismatch),
)
async def send_example(id: PublicWebhookId, admin: Admin, db: Db, idem: Idempotent, body: ExampleOrder | None = None) -> Response:
    """Send an example of a type, signed like everything else; the answer is the delivery, whose attempts tell what came of it."""
    sample = types.example((body or ExampleOrder()).type)
    async with db.transaction(admin.tenant) as tx:
        if stored := await idem.begin(tx):
            return stored.response()
        c = await raw(tx)
        endpoint = await seen(c, admin, id)
        if endpoint.state is not State.ENABLED:
            raise WebhookNotEnabled("Enable it first.")
        new = New(
            tenant=admin.tenant,
            id=ids.new(),
            endpoint=id,
            event=ids.new(),
            type=sample.name,
            at=datetime.now(UTC),
            data=msgspec.json.encode(sample.example),
            source="test",
            origin=ids.new(),
        )
        await deliveries.enqueue(c, [new])
        await lanes.wake(c, [(admin.tenant, id)], probe=True)
        row = await deliveries.find(c, (admin.tenant, id), new.id)
        return await idem.finish(tx, 202, DeliveryOut.of(row).model_dump_json().encode())


def _seal(vault: Vault, id: UUID, secret: str) -> bytes:
    return vault.seal(secret.encode(), what=f"webhook secret {id}")


def _sealed(vault: Vault, id: UUID, own: dict[str, str]) -> bytes | None:
    return vault.seal(msgspec.json.encode(own), what=f"webhook headers {id}") if own else None


async def _finish(tx: Tx, idem: Idempotency, vault: Vault, status: int, body: bytes) -> Response:
    await idem.finish(tx, status, vault.seal(body, what=_ANSWER))
    return Response(body, status, _NOT_STORED, media_type="application/json")


def _again(stored: Stored, vault: Vault) -> Response:
    try:
        body = vault.open(stored.body, what=_ANSWER)
    except WrongEncryptionKey:
        raise SecretGone("Rotate the secret.") from None
    return Response(body, stored.status, {**_NOT_STORED, "Idempotency-Replayed": "true"}, media_type="application/json")
