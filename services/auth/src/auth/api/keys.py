"""API keys: made, changed, rotated and revoked by admins and owners."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from contracts import ids
from contracts.edge import PublicKeyId
from contracts.envelope import wrap
from contracts.errors import Invalid
from contracts.events.auth import KeyChanged, KeyCreated, KeyRevoked, KeyRotated
from contracts.ids import UserId
from contracts.principal import Role
from fastapi import APIRouter, Response
from servicekit import cursors, outbox
from servicekit.http import Cursor, Doer, Limit, Page, problems
from servicekit.http.bodies import PAGE
from servicekit.idempotency import Idempotent, InFlight, Mismatch

from auth import domain, store, tokens
from auth.api import secrets
from auth.api.callers import PersonInCharge
from auth.api.parts import WithParts
from auth.api.shapes import KeyChange, KeyOut, KeyRotation, KeyShown, NewKey
from auth.domain import ApiKey, KeyMissing, PersonsOnly, RoleTooHigh, SecretGone, SeesLess
from auth.store.access import SEES_ALL

_VIEW = "keys"

router = APIRouter(prefix="/api/keys", tags=["keys"])


@router.get("", responses=problems(cursors.BadCursor, PersonsOnly))
async def list_keys(admin: PersonInCharge, parts: WithParts, cursor: Cursor = None, limit: Limit = PAGE) -> Page[KeyOut]:
    """List the account's API keys, in the order in which they were made, without their secrets."""
    after = cursors.decode(admin.tenant, _VIEW, cursor, tuple[UUID])[0] if cursor else None
    async with parts.db.transaction(admin.tenant) as tx:
        found = await store.keys.page(tx, admin.tenant, after=after, limit=limit + 1)
        seen = await store.access.of(tx, admin.tenant, [key.id for key in found])
    more = cursors.encode(admin.tenant, _VIEW, (found[limit - 1].id,)) if len(found) > limit else None
    return Page(items=[KeyOut.of(key, seen.get(key.id, SEES_ALL)) for key in found[:limit]], next_cursor=more)


@router.post(
    "", status_code=201, response_model=KeyShown, responses=problems(RoleTooHigh, SeesLess, PersonsOnly, SecretGone, InFlight, Mismatch)
)
async def create_key(body: NewKey, admin: PersonInCharge, doer: Doer, parts: WithParts, idem: Idempotent) -> Response:
    """Make an API key. Its secret is in this answer and nowhere else."""
    role = Role(body.role)
    domain.may_make(admin, role)
    domain.may_show(admin, body.devices)
    now = datetime.now(UTC)
    if body.expires_at is not None and body.expires_at <= now:
        raise Invalid("A key ends in the future.", errors=[{"at": "expires_at", "message": "This is past."}])
    secret, prefix = tokens.api_key()
    key = ApiKey(
        id=ids.new(),
        tenant=admin.tenant,
        name=body.name,
        prefix=prefix,
        secret_hash=tokens.hashed(secret),
        role=role,
        scopes=frozenset(body.scopes),
        created_by=admin.id,
        created_at=now,
        expires_at=body.expires_at,
    )
    async with parts.db.transaction(admin.tenant) as tx:
        if stored := await idem.begin(tx):
            return secrets.again(stored, parts.vault)
        await store.keys.add(tx, key)
        if body.devices is not None:
            await store.access.limit(tx, admin.tenant, key.id, body.devices)
        seen = (await store.access.of(tx, admin.tenant, [key.id])).get(key.id, SEES_ALL)
        told = KeyCreated(key=key.id, name=key.name, role=key.role, scopes=tuple(sorted(key.scopes)), actor=doer)
        await outbox.add(tx, wrap(admin.tenant, told))
        shown = KeyShown(**KeyOut.of(key, seen).model_dump(), secret=secret).model_dump_json().encode()
        answer = await secrets.finish(tx, idem, parts.vault, 201, shown)
    parts.limited.set()
    return answer


@router.get("/{id}", responses=problems(KeyMissing, PersonsOnly))
async def read_key(id: PublicKeyId, admin: PersonInCharge, parts: WithParts) -> KeyOut:
    """Read an API key, without its secret."""
    async with parts.db.transaction(admin.tenant) as tx:
        key = await store.keys.find(tx, admin.tenant, id)
        seen = await store.access.of(tx, admin.tenant, [id])
    return KeyOut.of(key, seen.get(id, SEES_ALL))


@router.patch("/{id}", responses=problems(KeyMissing, RoleTooHigh, SeesLess, PersonsOnly))
async def change_key(id: PublicKeyId, body: KeyChange, admin: PersonInCharge, doer: Doer, parts: WithParts) -> KeyOut:
    """Give an API key another name, role, other scopes or numbers; felt within seconds."""
    role = None if body.role is None else Role(body.role)
    if role is not None:
        domain.may_make(admin, role)
    sees_other = "devices" in body.model_fields_set
    if sees_other:
        domain.may_show(admin, body.devices)
    now = datetime.now(UTC)
    async with parts.db.transaction(admin.tenant) as tx:
        before = await store.keys.find(tx, admin.tenant, id, lock=True)
        key = before.changed(name=body.name, role=role, scopes=body.scopes)
        if sees_other:
            await store.access.limit(tx, admin.tenant, id, body.devices)
        if key != before:
            await store.keys.save(tx, key)
        if key.version != before.version:
            await store.users.announce_version(tx, admin.tenant, UserId(key.id), key.version, now)
        if key != before or sees_other:
            told = KeyChanged(key=id, name=key.name, role=key.role, scopes=tuple(sorted(key.scopes)), actor=doer)
            await outbox.add(tx, wrap(admin.tenant, told))
        seen = await store.access.of(tx, admin.tenant, [id])
    parts.raised.set()
    parts.limited.set()
    return KeyOut.of(key, seen.get(id, SEES_ALL))


@router.post("/{id}/rotate", response_model=KeyShown, responses=problems(KeyMissing, PersonsOnly, SecretGone, InFlight, Mismatch))
async def rotate_key(
    id: PublicKeyId, admin: PersonInCharge, doer: Doer, parts: WithParts, idem: Idempotent, body: KeyRotation | None = None
) -> Response:
    """Give an API key another secret. The present one is good for as long as *overlap_seconds* says, then it is dead."""
    overlap = timedelta(seconds=body.overlap_seconds if body else 0)
    now = datetime.now(UTC)
    secret, prefix = tokens.api_key()
    async with parts.db.transaction(admin.tenant) as tx:
        if stored := await idem.begin(tx):
            return secrets.again(stored, parts.vault)
        key = (await store.keys.find(tx, admin.tenant, id, lock=True)).rotated(prefix, tokens.hashed(secret), now, overlap)
        await store.keys.save(tx, key)
        await store.users.announce_version(tx, admin.tenant, UserId(key.id), key.version, now)
        seen: dict[UUID, Any] = await store.access.of(tx, admin.tenant, [id])
        await outbox.add(tx, wrap(admin.tenant, KeyRotated(key=id, name=key.name, overlap_until=now + overlap, actor=doer)))
        shown = KeyShown(**KeyOut.of(key, seen.get(id, SEES_ALL)).model_dump(), secret=secret).model_dump_json().encode()
        answer = await secrets.finish(tx, idem, parts.vault, 200, shown)
    parts.raised.set()
    return answer


@router.delete("/{id}", status_code=204, response_class=Response, responses=problems(KeyMissing, PersonsOnly))
async def revoke_key(id: PublicKeyId, admin: PersonInCharge, doer: Doer, parts: WithParts) -> None:
    """Revoke an API key: it is dead within seconds, for good."""
    now = datetime.now(UTC)
    async with parts.db.transaction(admin.tenant) as tx:
        key = await store.keys.find(tx, admin.tenant, id, lock=True)
        key = replace(key, revoked_at=now, previous_hash=None, previous_until=None, version=key.version + 1)
        await store.keys.save(tx, key)
        await store.users.announce_version(tx, admin.tenant, UserId(key.id), key.version, now)
        await outbox.add(tx, wrap(admin.tenant, KeyRevoked(key=id, name=key.name, actor=doer)))
    parts.raised.set()
