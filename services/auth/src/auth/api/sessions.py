"""What opening a session means, whatever it was opened by."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from contracts import ids
from contracts.envelope import wrap
from contracts.events.auth import SessionClosed, SessionOpened
from contracts.principal import Access, Actor, Principal
from fastapi import Request, Response
from servicekit import outbox
from servicekit.auth import sign
from servicekit.db import Tx
from servicekit.http.callers import address

from auth import store, tokens
from auth.api import cookies
from auth.api.parts import Parts
from auth.api.shapes import AccountOut, SignedIn, UserOut
from auth.domain import Account, Session, User

_AGENT_CHARACTERS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a request came from."""

    address: str | None
    agent: str | None


def origin(request: Request) -> Origin:
    """Read who is behind the gateway."""
    agent = "".join(character for character in request.headers.get("User-Agent", "") if character.isprintable())
    return Origin(address=address(request), agent=agent[:_AGENT_CHARACTERS] or None)


async def open(tx: Tx, parts: Parts, user: User, client: Literal["token", "cookie"], where: Origin, now: datetime) -> tuple[Session, str]:
    """Keep a new session of *user*, tell it, and give it with its first refresh token."""
    session = Session(
        id=ids.new(),
        tenant=user.tenant,
        user=user.id,
        client=client,
        created_at=now,
        used_at=now,
        expires_at=now + parts.settings.refresh_lifetime,
        address=where.address,
        agent=where.agent,
    )
    refresh = tokens.refresh(user.tenant)
    await store.sessions.open(tx, session, tokens.hashed(refresh))
    await outbox.add(tx, wrap(user.tenant, SessionOpened(user=user.id, session=session.id, client=client, address=where.address)))
    return session, refresh


async def tell_closed(
    tx: Tx, closed: list[store.sessions.Closed], reason: Literal["logout", "reused", "revoked", "expired"], actor: Actor | None = None
) -> None:
    """Tell that these sessions are at their end."""
    facts = [wrap(one.tenant, SessionClosed(user=one.user, session=one.id, reason=reason, actor=actor)) for one in closed]
    await outbox.add(tx, *facts)


def answer(
    request: Request,
    response: Response,
    parts: Parts,
    *,
    user: User,
    account: Account,
    seen: Access,
    session: Session,
    refresh: str,
    client: Literal["token", "cookie"],
    csrf: str | None = None,
) -> SignedIn:
    """Sign an access token and hand it over with *refresh*, the way that *client* wants it; a browser's other tabs go on with *csrf*."""
    lifetime = parts.settings.access_lifetime
    key, kid = parts.keyring.current
    access = sign(
        Principal(
            id=user.id,
            tenant=user.tenant,
            role=user.role,
            version=user.version,
            installation=user.installation,
            session=ids.public(ids.SESSION, session.id),
        ),
        key,
        kid,
        lifetime,
    )
    seconds = int(lifetime.total_seconds())
    response.headers["Cache-Control"] = "no-store"
    shown = SignedIn(token_type="Bearer", expires_in=seconds, user=UserOut.of(user, seen), account=AccountOut.of(account))  # noqa: S106
    if client == "token":
        return shown.model_copy(update={"access_token": access, "refresh_token": refresh})
    cookies.put(
        request,
        response,
        access=access,
        access_seconds=seconds,
        refresh=refresh,
        refresh_seconds=int(parts.settings.refresh_lifetime.total_seconds()),
        csrf=csrf,
    )
    return shown
