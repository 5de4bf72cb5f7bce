"""The account as its people see it, and all accounts as the installation's owner does."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from contracts.edge import PublicAccountId
from contracts.envelope import wrap
from contracts.events.auth import AccountChanged
from contracts.principal import Actor
from fastapi import APIRouter
from servicekit import cursors, outbox
from servicekit.db import Tx
from servicekit.http import Admin, Caller, Cursor, Doer, Limit, Page, problems
from servicekit.http.bodies import PAGE

from auth import store
from auth.api.callers import Installer
from auth.api.parts import WithParts
from auth.api.shapes import AccountChange, AccountProfile, AccountStanding, StandingChange
from auth.domain import Account, AccountMissing, OwnersOfTheInstallationOnly, OwnStanding

_VIEW = "accounts"

router = APIRouter(prefix="/api/account", tags=["account"])
ops = APIRouter(prefix="/api/ops/accounts", tags=["ops"])


@router.get("")
async def read_account(caller: Caller, parts: WithParts) -> AccountProfile:
    """Read the account with its limits."""
    async with parts.db.transaction(caller.tenant) as tx:
        (counted,) = await store.accounts.read(tx, [caller.tenant])
    return AccountProfile.seen(counted.account, counted.agents)


@router.patch("")
async def change_account(body: AccountChange, admin: Admin, doer: Doer, parts: WithParts) -> AccountProfile:
    """Give the account another name, time zone, language or currency."""
    changes = body.model_dump(exclude_none=True)
    async with parts.db.transaction(admin.tenant) as tx:
        before = await store.users.account(tx, admin.tenant, lock=True)
        await _move(tx, before, before.changed(**changes), doer)
        (counted,) = await store.accounts.read(tx, [admin.tenant])
    return AccountProfile.seen(counted.account, counted.agents)


@ops.get("", responses=problems(cursors.BadCursor, OwnersOfTheInstallationOnly))
async def list_accounts(owner: Installer, parts: WithParts, cursor: Cursor = None, limit: Limit = PAGE) -> Page[AccountStanding]:
    """List the installation's accounts, in the order in which they were opened."""
    after = cursors.decode(owner.tenant, _VIEW, cursor, tuple[UUID])[0] if cursor else None
    async with parts.system.system() as system:
        some = await store.accounts.tenants(system, after=after, limit=limit + 1)
    async with parts.db.transaction(some or [owner.tenant]) as tx:
        found = await store.accounts.read(tx, some[:limit])
    more = cursors.encode(owner.tenant, _VIEW, (some[limit - 1],)) if len(some) > limit else None
    return Page(items=[AccountStanding.judged(one.account, one.agents) for one in found], next_cursor=more)


@ops.patch("/{id}", responses=problems(AccountMissing, OwnStanding, OwnersOfTheInstallationOnly))
async def judge_account(id: PublicAccountId, body: StandingChange, owner: Installer, doer: Doer, parts: WithParts) -> AccountStanding:
    """Suspend an account, let it act again, or limit it. The tokens of a suspended one are dead within seconds."""
    if id == owner.tenant and body.suspended:
        raise OwnStanding("This account runs the installation.")
    now = datetime.now(UTC)
    async with parts.db.transaction(id) as tx:
        found = await store.accounts.read(tx, [id])
        if not found:
            raise AccountMissing("No account of this installation has this id.")
        before = await store.users.account(tx, id, lock=True)
        changes: dict[str, Any] = {}
        if body.suspended is not None and body.suspended != (before.suspended_at is not None):
            changes["suspended_at"] = now if body.suspended else None
        if body.limits is not None:
            changes["limits"] = msgspec.structs.replace(before.limits, **body.limits.model_dump(exclude_unset=True))
        after = before.changed(**changes)
        if after.suspended_at is not None and before.suspended_at is None:
            await store.users.raise_every_version(tx, id, now)
        await _move(tx, before, after, doer)
    parts.raised.set()
    return AccountStanding.judged(after, found[0].agents)


async def _move(tx: Tx, before: Account, after: Account, doer: Actor) -> None:
    if after == before:
        return
    await store.accounts.save(tx, after)
    told = AccountChanged(
        name=after.name,
        locale=after.locale,
        time_zone=after.time_zone,
        currency=after.currency,
        limits=after.limits,
        suspended=after.suspended_at is not None,
        revision=after.revision,
        actor=doer,
    )
    await outbox.add(tx, wrap(after.id, told))
