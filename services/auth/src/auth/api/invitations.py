"""Links that let somebody into the account."""

from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from contracts import ids
from contracts.edge import PublicInvitationId
from contracts.envelope import wrap
from contracts.events.auth import InvitationCreated, InvitationRevoked
from fastapi import APIRouter, Query, Response
from servicekit import cursors, outbox
from servicekit.http import Admin, Cursor, Doer, Limit, Page, problems
from servicekit.http.bodies import PAGE
from servicekit.idempotency import Idempotent, InFlight, Mismatch

from auth import domain, letters, store, tokens
from auth.api import people, secrets
from auth.api.parts import WithParts
from auth.api.shapes import InvitationOut, InvitationPreview, InvitationShown, NewInvitation
from auth.domain import Invitation, InvitationMissing, LimitReached, RoleTooHigh, SecretGone, SeesLess, TeamMissing

_VIEW = "invitations"

router = APIRouter(prefix="/api/invitations", tags=["invitations"])
#: For who has a link and no account yet.
preview = APIRouter(prefix="/api/auth", tags=["auth"])


@router.get("", responses=problems(cursors.BadCursor))
async def list_invitations(admin: Admin, parts: WithParts, cursor: Cursor = None, limit: Limit = PAGE) -> Page[InvitationOut]:
    """List the invitations that are open, in the order in which they were made, without their links."""
    after = cursors.decode(admin.tenant, _VIEW, cursor, tuple[UUID])[0] if cursor else None
    async with parts.db.transaction(admin.tenant) as tx:
        found = await store.invitations.page(tx, admin.tenant, datetime.now(UTC), after=after, limit=limit + 1)
    more = cursors.encode(admin.tenant, _VIEW, (found[limit - 1].id,)) if len(found) > limit else None
    return Page(items=[InvitationOut.of(invitation) for invitation in found[:limit]], next_cursor=more)


@router.post(
    "",
    status_code=201,
    response_model=InvitationShown,
    responses=problems(RoleTooHigh, SeesLess, TeamMissing, LimitReached, SecretGone, InFlight, Mismatch),
)
async def invite(body: NewInvitation, admin: Admin, doer: Doer, parts: WithParts, idem: Idempotent) -> Response:
    """Make a link that lets one person in. It is in this answer, and in a mail where there is an address and a mail server."""
    domain.may_make(admin, body.role)
    domain.may_show(admin, body.devices, body.chats)
    domain.may_join(admin, body.teams)
    now = datetime.now(UTC)
    code = tokens.random()
    invitation = Invitation(
        id=ids.new(),
        tenant=admin.tenant,
        email=body.email,
        role=body.role,
        teams=tuple(body.teams),
        devices=None if body.devices is None else tuple(body.devices),
        chats=body.chats,
        created_by=admin.id,
        created_at=now,
        expires_at=now + timedelta(days=body.days),
    )
    link = f"{parts.settings.address}/invite?code={code}"
    mailed = body.email is not None and parts.settings.mails
    async with parts.db.transaction(admin.tenant) as tx:
        if stored := await idem.begin(tx):
            return secrets.again(stored, parts.vault)
        account = await store.users.account(tx, admin.tenant)
        account.make_room(await store.users.active(tx, admin.tenant))
        await people.demand_teams(tx, admin.tenant, body.teams)
        await store.invitations.add(tx, invitation, tokens.hashed(code))
        if mailed and body.email is not None:
            order = letters.Invite(to=body.email, locale=account.locale, account=account.name, link=link)
            await store.mails.add(tx, letters.seal(parts.vault, order), now)
        await outbox.add(tx, wrap(admin.tenant, InvitationCreated(invitation=invitation.id, role=invitation.role, actor=doer)))
        shown = InvitationShown(**InvitationOut.of(invitation).model_dump(), url=link, mailed=mailed)
        answer = await secrets.finish(tx, idem, parts.vault, 201, shown.model_dump_json().encode())
    parts.mailed.set()
    return answer


@preview.get("/invitation", responses=problems(InvitationMissing))
async def preview_invitation(
    code: Annotated[str, Query(min_length=1, max_length=200, description="what the link ends with")], parts: WithParts, response: Response
) -> InvitationPreview:
    """Tell who has the link into which account it leads, and whether it still does. It joins with `POST /api/auth/register`."""
    hashed = tokens.hashed(code)
    async with parts.system.system() as system:
        tenant = await store.invitations.account_of(system, hashed)
    if tenant is None:
        raise InvitationMissing("Nobody was invited with this code.")
    async with parts.db.transaction(tenant) as tx:
        found = await store.invitations.find(tx, tenant, hashed)
        account = await store.users.account(tx, tenant)
    if found is None:
        raise InvitationMissing("Nobody was invited with this code.")
    response.headers["Cache-Control"] = "no-store"
    return InvitationPreview(
        account=account.name,
        locale=account.locale,
        role=found.role,
        email=found.email,
        state=found.stands(datetime.now(UTC)),
        expires_at=found.expires_at,
    )


@router.delete("/{id}", status_code=204, response_class=Response, responses=problems(InvitationMissing))
async def revoke_invitation(id: PublicInvitationId, admin: Admin, doer: Doer, parts: WithParts) -> None:
    """Let nobody in by this link any more."""
    async with parts.db.transaction(admin.tenant) as tx:
        await store.invitations.revoke(tx, admin.tenant, id, datetime.now(UTC))
        await outbox.add(tx, wrap(admin.tenant, InvitationRevoked(invitation=id, actor=doer)))
