"""A new password for who forgot theirs, by a link that is mailed."""

from dataclasses import replace
from datetime import UTC, datetime

from contracts.envelope import wrap
from contracts.events.auth import PasswordChanged
from fastapi import APIRouter, Request, Response
from servicekit import outbox
from servicekit.http import problems
from servicekit.http.callers import address

from auth import domain, letters, store, tokens
from auth.api import sessions
from auth.api.parts import WithParts
from auth.api.shapes import PasswordForgotten, PasswordReset
from auth.domain import Busy, PasswordTooLong, ResetInvalid, WeakPassword

router = APIRouter(prefix="/api/auth/password", tags=["auth"])


@router.post("/forgot", status_code=202, response_class=Response)
async def forgot(body: PasswordForgotten, parts: WithParts) -> None:
    """Mail a link to a new password to this address, if somebody has it.

    The answer is the same, after the same work, whether or not somebody has: who it is is looked up when the mail is sent.
    """
    if not parts.settings.mails:
        return
    now = datetime.now(UTC)
    async with parts.system.system() as system:
        held = await store.installation.attempt(system, tokens.hashed(f"forgot {body.email}"), now)
    if held is not None:
        return
    async with parts.db.system() as tx:
        await store.mails.add(tx, letters.seal(parts.vault, letters.Reset(to=body.email)), now)
    parts.mailed.set()


@router.post("/reset", status_code=204, response_class=Response, responses=problems(ResetInvalid, WeakPassword, PasswordTooLong, Busy))
async def reset(body: PasswordReset, request: Request, parts: WithParts) -> None:
    """Take another password with the token of the link. Every session of the person is closed."""
    try:
        tenant, hash = tokens.read_reset(body.token)
    except ValueError:
        raise ResetInvalid from None
    password = domain.password(body.password)
    await parts.passwords.judge(password, ["clarin"])
    hashed = await parts.passwords.hash(password)
    now = datetime.now(UTC)
    async with parts.db.transaction(tenant) as tx:
        id = await store.mails.redeem_reset(tx, tenant, hash, now)
        if id is None:
            raise ResetInvalid
        user = await store.users.find(tx, tenant, id, lock=True)
        await store.users.save(tx, replace(user, password_hash=hashed))
        await store.installation.succeeded(tx, tokens.hashed(user.email))
        await sessions.tell_closed(tx, await store.sessions.close_all(tx, tenant, id, "revoked", now), "revoked")
        await outbox.add(tx, wrap(tenant, PasswordChanged(user=id, way="reset", address=address(request))))
        await store.users.raise_version(tx, tenant, id, now)
    parts.raised.set()
