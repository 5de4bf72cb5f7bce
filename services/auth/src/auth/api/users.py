"""Who is in the account, and the sessions of the one who asks."""

import hmac
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from contracts import ids
from contracts.edge import PublicUserId
from contracts.envelope import wrap
from contracts.events.auth import PasswordChanged, UserChanged, UserCreated
from contracts.ids import UserId
from contracts.principal import Principal
from fastapi import APIRouter, Response
from pydantic import BeforeValidator
from servicekit import cursors, outbox
from servicekit.http import Admin, Caller, Cursor, Doer, Limit, Page, problems
from servicekit.http.bodies import PAGE
from servicekit.idempotency import Idempotent, InFlight, Mismatch

from auth import domain, store, tokens
from auth.api import people, sessions
from auth.api.callers import Person
from auth.api.parts import Parts, WithParts
from auth.api.shapes import AccountOut, Me, NewUser, PasswordChange, SessionOut, UserChange, UserOut
from auth.domain import (
    Busy,
    EmailTaken,
    LastOwner,
    LimitReached,
    OwnStanding,
    PasswordTooLong,
    PersonsOnly,
    RoleTooHigh,
    SeesLess,
    SessionMissing,
    TeamMissing,
    TooManyAttempts,
    User,
    UserMissing,
    WeakPassword,
    WrongCredentials,
)
from auth.store.access import SEES_ALL

_VIEW = "users"

SessionId = Annotated[UUID, BeforeValidator(lambda text: ids.parse(ids.SESSION, text))]

router = APIRouter(prefix="/api/auth", tags=["auth"])
#: Answers under two prefixes: see `auth.api`.
everybody = APIRouter(tags=["users"])


@router.get("/me", responses=problems(UserMissing, PersonsOnly))
async def me(caller: Person, parts: WithParts) -> Me:
    """Tell who calls, with the account."""
    async with parts.db.transaction(caller.tenant) as tx:
        user = await store.users.find(tx, caller.tenant, caller.id)
        account = await store.users.account(tx, caller.tenant)
        seen = await store.access.of(tx, caller.tenant, [caller.id])
    shown = UserOut.of(user, seen.get(user.id, SEES_ALL))
    return Me(user=shown, account=AccountOut.of(account), role=user.role, installation=user.installation)


@everybody.get("", responses=problems(cursors.BadCursor))
async def list_users(caller: Caller, parts: WithParts, cursor: Cursor = None, limit: Limit = PAGE) -> Page[UserOut]:
    """List the people of the account, in the order in which they came."""
    after = cursors.decode(caller.tenant, _VIEW, cursor, tuple[UUID])[0] if cursor else None
    async with parts.db.transaction(caller.tenant) as tx:
        found = await store.users.page(tx, caller.tenant, after=after, limit=limit + 1)
        seen = await store.access.of(tx, caller.tenant, [user.id for user in found])
    more = cursors.encode(caller.tenant, _VIEW, (found[limit - 1].id,)) if len(found) > limit else None
    return Page(items=[UserOut.of(user, seen.get(user.id, SEES_ALL)) for user in found[:limit]], next_cursor=more)


@everybody.post(
    "",
    status_code=201,
    response_model=UserOut,
    responses=problems(
        EmailTaken, WeakPassword, PasswordTooLong, RoleTooHigh, SeesLess, TeamMissing, LimitReached, Busy, InFlight, Mismatch
    ),
)
async def create_user(body: NewUser, admin: Admin, doer: Doer, parts: WithParts, idem: Idempotent) -> Response:
    """Let a person into the account."""
    domain.may_make(admin, body.role)
    domain.may_show(admin, body.devices, body.chats)
    domain.may_join(admin, body.teams)
    # the body holds a password: its plain hash, kept beside the key, could be guessed offline
    idem.fingerprint = hmac.digest(parts.refresh_key, idem.fingerprint, "sha256")
    hashed = await _hashed(parts, body.password, body.email, body.name)
    user = User(
        id=UserId(ids.new()),
        tenant=admin.tenant,
        email=body.email,
        name=body.name,
        role=body.role,
        created_at=datetime.now(UTC),
        password_hash=hashed,
    )
    async with parts.db.transaction(admin.tenant) as tx:
        if stored := await idem.begin(tx):
            return stored.response()
        account = await store.users.account(tx, admin.tenant, lock=True)
        account.make_room(await store.users.active(tx, admin.tenant))
        await people.demand_teams(tx, admin.tenant, body.teams)
        await store.users.add(tx, user)
        seen = await people.place(tx, user, body.devices, body.chats, body.teams)
        await outbox.add(tx, wrap(admin.tenant, UserCreated(user=user.id, name=user.name, role=user.role, actor=doer)))
        answer = await idem.finish(tx, 201, UserOut.of(user, seen).model_dump_json().encode())
    await people.tell(parts, user.id, seen)
    return answer


async def _hashed(parts: Parts, password: str | None, *about: str) -> str | None:
    if password is None:
        return None
    password = domain.password(password)
    await parts.passwords.judge(password, [*about, *(text.partition("@")[0] for text in about), "clarin"])
    return await parts.passwords.hash(password)


@everybody.get("/{id}", responses=problems(UserMissing))
async def read_user(id: PublicUserId, caller: Caller, parts: WithParts) -> UserOut:
    """Read a person of the account."""
    async with parts.db.transaction(caller.tenant) as tx:
        user = await store.users.find(tx, caller.tenant, id)
        seen = await store.access.of(tx, caller.tenant, [id])
    return UserOut.of(user, seen.get(id, SEES_ALL))


@everybody.patch(
    "/{id}",
    responses=problems(
        UserMissing, RoleTooHigh, SeesLess, OwnStanding, LastOwner, TeamMissing, LimitReached, WeakPassword, PasswordTooLong, Busy
    ),
)
async def change_user(id: PublicUserId, body: UserChange, admin: Admin, doer: Doer, parts: WithParts) -> UserOut:
    """Give a person another role, name, standing, password, other numbers or teams.

    Access tokens from before a new role, standing or password are dead within seconds; what they see changes as soon.
    """
    numbers = "devices" in body.model_fields_set
    sees_other = numbers or body.chats is not None
    domain.may_show(admin, body.devices if numbers else (), body.chats or "own")
    if sees_other and id == admin.id:
        raise OwnStanding("Ask another owner or admin of the account.")
    hashed = await _hashed(parts, body.password, body.name or "")
    now = datetime.now(UTC)
    async with parts.db.transaction(admin.tenant) as tx:
        account = await store.users.account(tx, admin.tenant, lock=True)
        before = await store.users.find(tx, admin.tenant, id, lock=True)
        user = before.changed(admin, role=body.role, active=body.active, name=body.name, password_hash=hashed)
        if before.owns() and not user.owns() and not await store.users.other_owners(tx, admin.tenant, id):
            raise LastOwner("Make somebody else an owner first.")
        if user.active and not before.active:
            account.make_room(await store.users.active(tx, admin.tenant))
        was = (await store.access.of(tx, admin.tenant, [id])).get(id, SEES_ALL)
        if hashed is not None:
            # with the password comes all that they see
            domain.may_show(admin, was.devices, was.chats)
        if body.teams is not None:
            domain.may_join(admin, set(body.teams) - was.teams)
            await people.demand_teams(tx, admin.tenant, body.teams)
            await store.teams.put(tx, admin.tenant, id, set(body.teams))
            await store.access.touch(tx, admin.tenant, [id])
        if sees_other:
            await store.access.limit(tx, admin.tenant, id, body.devices if numbers else was.devices, body.chats or was.chats)
        if user != before:
            await store.users.save(tx, user)
        if user != before or sees_other or body.teams is not None:
            told = UserChanged(user=id, name=user.name, role=user.role, active=user.active, version=user.version, actor=doer)
            await outbox.add(tx, wrap(admin.tenant, told))
        if hashed is not None:
            await outbox.add(tx, wrap(admin.tenant, PasswordChanged(user=id, way="set", actor=doer)))
        if user.stands_elsewhere(before):
            await store.users.announce_version(tx, admin.tenant, id, user.version, now)
        if user.must_sign_in_again(before):
            await sessions.tell_closed(tx, await store.sessions.close_all(tx, admin.tenant, id, "revoked", now), "revoked", doer)
        seen = await store.access.of(tx, admin.tenant, [id])
    parts.raised.set()
    parts.limited.set()
    return UserOut.of(user, seen.get(id, SEES_ALL))


@router.post(
    "/password",
    status_code=204,
    response_class=Response,
    responses=problems(WrongCredentials, WeakPassword, PasswordTooLong, TooManyAttempts, PersonsOnly, Busy),
)
async def change_password(body: PasswordChange, caller: Person, doer: Doer, parts: WithParts) -> None:
    """Take another password for oneself. Every other session of the caller is closed; this one goes on after a refresh."""
    now = datetime.now(UTC)
    current = domain.password(body.current)
    async with parts.db.transaction(caller.tenant) as tx:
        user = await store.users.find(tx, caller.tenant, caller.id)
    attempts = tokens.hashed(user.email)
    async with parts.system.system() as system:
        held = await store.installation.attempt(system, attempts, now)
    if held is not None:
        raise TooManyAttempts.until(held.until, now)
    if not await parts.passwords.matches(current, user.password_hash):
        raise WrongCredentials("The present password is another one.")
    hashed = await _hashed(parts, body.password, user.email, user.name)
    async with parts.db.transaction(caller.tenant) as tx:
        await store.installation.succeeded(tx, attempts)
        fresh = await store.users.find(tx, caller.tenant, caller.id, lock=True)
        if fresh.password_hash != user.password_hash:
            raise WrongCredentials("It was changed a moment ago.")
        await store.users.save(tx, replace(fresh, password_hash=hashed))
        closed = await store.sessions.close_all(tx, caller.tenant, caller.id, "revoked", now, but=_session(caller))
        await sessions.tell_closed(tx, closed, "revoked", doer)
        await outbox.add(tx, wrap(caller.tenant, PasswordChanged(user=caller.id, way="own", actor=doer)))
        await store.users.raise_version(tx, caller.tenant, caller.id, now)
    parts.raised.set()


def _session(caller: Principal) -> UUID | None:
    try:
        return ids.parse(ids.SESSION, caller.session)
    except ValueError:
        return None


@router.get("/sessions", responses=problems(PersonsOnly))
async def list_sessions(caller: Person, parts: WithParts) -> Page[SessionOut]:
    """List where the caller is signed in, the latest first; at most 100."""
    async with parts.db.transaction(caller.tenant) as tx:
        found = await store.sessions.of_user(tx, caller.tenant, caller.id, datetime.now(UTC))
    shown = [(ids.public(ids.SESSION, session.id), session) for session in found]
    return Page(
        items=[
            SessionOut(
                id=id,
                client=session.client,
                created_at=session.created_at,
                used_at=session.used_at,
                address=session.address,
                agent=session.agent,
                current=id == caller.session,
            )
            for id, session in shown
        ],
        next_cursor=None,
    )


@router.delete("/sessions/{id}", status_code=204, response_class=Response, responses=problems(SessionMissing, PersonsOnly))
async def close_session(id: SessionId, caller: Person, doer: Doer, parts: WithParts) -> None:
    """Sign out elsewhere. All access tokens of the caller die within seconds; the sessions that stay get new ones by refreshing."""
    now = datetime.now(UTC)
    async with parts.db.transaction(caller.tenant) as tx:
        closed = await store.sessions.close(tx, caller.tenant, id, caller.id, "revoked", now)
        if closed is None:
            raise SessionMissing
        await sessions.tell_closed(tx, [closed], "revoked", doer)
        await store.users.raise_version(tx, caller.tenant, caller.id, now)
    parts.raised.set()
