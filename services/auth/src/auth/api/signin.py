"""Register, sign in, refresh, sign out."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from contracts import ids
from contracts.envelope import wrap
from contracts.errors import Invalid, Unauthenticated
from contracts.events.auth import AccountRegistered, SessionRefused, UserCreated
from contracts.ids import TenantId, UserId
from contracts.principal import Role
from fastapi import APIRouter, Request, Response
from servicekit import outbox
from servicekit.db import Tx
from servicekit.http import problems

from auth import domain, store, tokens
from auth.api import cookies, people, sessions
from auth.api.parts import Parts, WithParts
from auth.api.shapes import Login, Refresh, Register, SignedIn
from auth.domain import (
    Account,
    AccountSuspended,
    Busy,
    CsrfMismatch,
    EmailTaken,
    InvitationInvalid,
    LimitReached,
    PasswordTooLong,
    RefreshInvalid,
    RefreshReused,
    Registration,
    RegistrationClosed,
    Session,
    TooManyAttempts,
    User,
    UserDisabled,
    Verdict,
    WeakPassword,
    WrongCredentials,
)
from auth.store.access import SEES_ALL

#: Two tabs that refresh at once, or an answer lost on the way.
GRACE = timedelta(seconds=5)

router = APIRouter(prefix="/api/auth", tags=["auth"])


@router.post(
    "/register",
    status_code=201,
    response_model_exclude_unset=True,
    responses=problems(
        EmailTaken, WeakPassword, PasswordTooLong, RegistrationClosed, InvitationInvalid, AccountSuspended, LimitReached, Busy
    ),
)
async def register(body: Register, request: Request, response: Response, parts: WithParts) -> SignedIn:
    """Open an account with its first user, its owner, and sign them in; who has an invitation into an account joins that one."""
    code = tokens.hashed(body.invitation) if body.invitation else None
    async with parts.system.system() as system:
        joined = await store.invitations.account_of(system, code) if code else None
    if code is not None and joined is not None:
        return await _join(body, code, joined, request, response, parts)
    policy = parts.settings.policy
    if policy is Registration.CLOSED:
        raise RegistrationClosed("Ask the installation's owner.")
    if policy is Registration.INVITE and code is None:
        raise InvitationInvalid("Ask the installation's owner for one.")
    if body.account is None:
        raise Invalid("An account needs a name.", errors=[{"at": "account", "message": "Field required"}])
    hashed = await _hashed(parts, body, body.account)
    now = datetime.now(UTC)
    account = Account(
        id=TenantId(ids.new()), name=body.account, time_zone=body.time_zone, locale=body.locale, currency=body.currency, created_at=now
    )
    owner = User(
        id=UserId(ids.new()),
        tenant=account.id,
        email=body.email,
        name=body.name,
        role=Role.OWNER,
        created_at=now,
        password_hash=hashed,
    )
    async with parts.db.transaction(account.id) as tx:
        await _admit(tx, policy, account, body.invitation, now)
        await store.users.open_account(tx, account, owner)
        await outbox.add(
            tx,
            wrap(
                account.id,
                AccountRegistered(name=account.name, locale=account.locale, time_zone=account.time_zone, currency=account.currency),
            ),
            wrap(account.id, UserCreated(user=owner.id, name=owner.name, role=owner.role)),
        )
        session, refresh = await sessions.open(tx, parts, owner, body.session, sessions.origin(request), now)
    return sessions.answer(
        request,
        response,
        parts,
        user=owner,
        account=account,
        seen=SEES_ALL,
        session=session,
        refresh=refresh,
        client=body.session,
    )


async def _hashed(parts: Parts, body: Register, *about: str) -> str:
    password = domain.password(body.password)
    await parts.passwords.judge(password, [body.email, body.email.partition("@")[0], body.name, *about, "clarin"])
    return await parts.passwords.hash(password)


async def _join(body: Register, code: bytes, tenant: TenantId, request: Request, response: Response, parts: Parts) -> SignedIn:
    hashed = await _hashed(parts, body)
    now = datetime.now(UTC)
    async with parts.db.transaction(tenant) as tx:
        account = await store.users.account(tx, tenant, lock=True)
        account.admit()
        invitation = await store.invitations.lock(tx, tenant, code)
        if invitation is None or not invitation.lets_in(body.email, now):
            raise InvitationInvalid("It is used, revoked, too old, or for another address.")
        account.make_room(await store.users.active(tx, tenant))
        user = User(
            id=UserId(ids.new()),
            tenant=tenant,
            email=body.email,
            name=body.name,
            role=invitation.role,
            created_at=now,
            password_hash=hashed,
        )
        await store.users.add(tx, user)
        await store.invitations.use(tx, invitation, user.id, now)
        seen = await people.place(tx, user, invitation.devices, invitation.chats, invitation.teams)
        joined = UserCreated(user=user.id, name=user.name, role=user.role, invitation=invitation.id)
        await outbox.add(tx, wrap(tenant, joined))
        session, refresh = await sessions.open(tx, parts, user, body.session, sessions.origin(request), now)
    await people.tell(parts, user.id, seen)
    return sessions.answer(
        request, response, parts, user=user, account=account, seen=seen, session=session, refresh=refresh, client=body.session
    )


async def _admit(tx: Tx, policy: Registration, account: Account, invitation: str | None, now: datetime) -> None:
    first = await store.installation.be_first(tx, account.id, now)
    if policy is Registration.FIRST and not first:
        raise RegistrationClosed("Ask the installation's owner.")
    if policy is Registration.INVITE and not await store.installation.redeem(tx, tokens.hashed(invitation or ""), now):
        raise InvitationInvalid("It is unknown, used or too old.")


@router.post(
    "/login",
    response_model_exclude_unset=True,
    responses=problems(WrongCredentials, UserDisabled, AccountSuspended, PasswordTooLong, TooManyAttempts, Busy),
)
async def login(body: Login, request: Request, response: Response, parts: WithParts) -> SignedIn:
    """Sign in. A wrong password and an unknown e-mail address get the same answer after the same work."""
    password = domain.password(body.password)
    where = sessions.origin(request)
    attempts = tokens.hashed(body.email)
    now = datetime.now(UTC)
    async with parts.system.system() as system:
        held = await store.installation.attempt(system, attempts, now)
        user = await store.users.by_email(system, body.email)
    if held is not None:
        if held.first:  # told once: who hammers at a held address would else write to the bus with each request
            await _refuse(parts, attempts, user, "locked", where)
        raise TooManyAttempts.until(held.until, now)
    if not await parts.passwords.matches(password, user.password_hash if user else None) or user is None:
        await _refuse(parts, attempts, user, "password", where)
        raise WrongCredentials
    rehashed = await parts.passwords.hash(password) if parts.passwords.outdated(user.password_hash or "") else None
    now = datetime.now(UTC)
    async with parts.db.transaction(user.tenant) as tx:
        await store.installation.succeeded(tx, attempts)
        # the row as it is now: while the password was compared, somebody may have been disabled
        fresh = await store.users.find(tx, user.tenant, user.id, lock=True)
        account = await store.users.account(tx, user.tenant)
        seen = (await store.access.of(tx, user.tenant, [user.id])).get(user.id, SEES_ALL)
        active = fresh.active and fresh.password_hash == user.password_hash
        if active and account.suspended_at is None:
            if rehashed is not None:
                await store.users.save(tx, replace(fresh, password_hash=rehashed))
            session, refresh = await sessions.open(tx, parts, fresh, body.session, where, now)
    if not active:
        await _refuse(parts, attempts, user, "disabled", where)
        raise UserDisabled("Ask an owner or admin of the account.")
    account.admit()
    return sessions.answer(
        request, response, parts, user=fresh, account=account, seen=seen, session=session, refresh=refresh, client=body.session
    )


async def _refuse(
    parts: Parts, attempts: bytes, user: User | None, reason: Literal["password", "disabled", "locked"], where: sessions.Origin
) -> None:
    """Tell that somebody was refused; an address that nobody has costs as much time."""
    if user is None:
        async with parts.system.system() as system:
            await store.installation.touch(system, attempts)
        return
    async with parts.db.transaction(user.tenant) as tx:
        await outbox.add(tx, wrap(user.tenant, SessionRefused(user=user.id, reason=reason, address=where.address)))


@router.post(
    "/refresh", response_model_exclude_unset=True, responses=problems(RefreshInvalid, RefreshReused, AccountSuspended, CsrfMismatch)
)
async def refresh(request: Request, response: Response, parts: WithParts, body: Refresh | None = None) -> SignedIn:
    """Exchange a refresh token, from the body or the cookie, for the next one and an access token.

    A token is good once. Within five seconds, and while its successor has not been used, it gives the same successor again;
    after that its coming back closes the session: two parties hold the chain, and nobody knows who is who.
    """
    token = body.refresh_token if body else None
    client: Literal["token", "cookie"] = "token" if token else "cookie"
    csrf = None if token else cookies.demand_csrf(request) if cookies.REFRESH in request.cookies else None
    token = token or request.cookies.get(cookies.REFRESH, "")
    tenant, hash = _read(token)
    successor = tokens.successor(token, parts.refresh_key)
    where = sessions.origin(request)
    now = datetime.now(UTC)
    async with parts.db.transaction(tenant) as tx:
        found = await store.sessions.lock(tx, tenant, hash)
        if found is None:
            raise RefreshInvalid
        link, session = found
        user = await store.users.find(tx, tenant, session.user)
        account = await store.users.account(tx, tenant)
        seen = (await store.access.of(tx, tenant, [user.id])).get(user.id, SEES_ALL)
        account.admit()
        verdict = link.judge(session, now, GRACE)
        if verdict is Verdict.TWIN and link.successor != tokens.hashed(successor):
            verdict = Verdict.REUSED  # made with another encryption key: the same successor cannot be given again
        if verdict is Verdict.GOOD:
            session = replace(
                session, used_at=now, expires_at=now + parts.settings.refresh_lifetime, address=where.address, agent=where.agent
            )
            await store.sessions.exchange(tx, session, hash, tokens.hashed(successor))
        if verdict is Verdict.REUSED:
            await _revoke(tx, session, now)
    if verdict is Verdict.REUSED:
        parts.raised.set()
        raise RefreshReused
    if verdict is Verdict.OVER:
        raise RefreshReused if session.reason == "reused" else RefreshInvalid
    return sessions.answer(
        request, response, parts, user=user, account=account, seen=seen, session=session, refresh=successor, client=client, csrf=csrf
    )


async def _revoke(tx: Tx, session: Session, now: datetime) -> None:
    closed = await store.sessions.close(tx, session.tenant, session.id, session.user, "reused", now)
    await sessions.tell_closed(tx, [closed] if closed else [], "reused")
    await store.users.raise_version(tx, session.tenant, session.user, now)


@router.post("/logout", status_code=204, response_class=Response, responses=problems(CsrfMismatch))
async def logout(request: Request, response: Response, parts: WithParts, body: Refresh | None = None) -> None:
    """Close the session that the refresh token, the cookie or the access token belongs to. An unknown one is no error."""
    now = datetime.now(UTC)
    token = body.refresh_token if body else None
    if not token and cookies.REFRESH in request.cookies:
        cookies.demand_csrf(request)
        token = request.cookies[cookies.REFRESH]
    if token:
        await _close_by_refresh(parts, token, now)
    else:
        await _close_by_access(parts, request, now)
    cookies.drop(request, response)


async def _close_by_refresh(parts: Parts, token: str, now: datetime) -> None:
    try:
        tenant, hash = _read(token)
    except RefreshInvalid:
        return
    async with parts.db.transaction(tenant) as tx:
        found = await store.sessions.lock(tx, tenant, hash)
        if found is not None:
            _, session = found
            closed = await store.sessions.close(tx, tenant, session.id, session.user, "logout", now)
            await sessions.tell_closed(tx, [closed] if closed else [], "logout")


async def _close_by_access(parts: Parts, request: Request, now: datetime) -> None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    try:
        caller = parts.verifier.verify(token if scheme.lower() == "bearer" else "")
        session = ids.parse(ids.SESSION, caller.session)
    except (Unauthenticated, ValueError):
        return
    async with parts.db.transaction(caller.tenant) as tx:
        closed = await store.sessions.close(tx, caller.tenant, session, caller.id, "logout", now)
        await sessions.tell_closed(tx, [closed] if closed else [], "logout")


def _read(token: str) -> tuple[TenantId, bytes]:
    try:
        return tokens.read(token)
    except ValueError:
        raise RefreshInvalid from None
