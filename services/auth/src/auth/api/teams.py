"""Teams of the account."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from contracts import ids
from contracts.edge import PublicTeamId
from contracts.envelope import wrap
from contracts.events.auth import TeamChanged, TeamCreated, TeamDeleted
from contracts.ids import TenantId, UserId
from fastapi import APIRouter, Response
from servicekit import cursors, outbox
from servicekit.db import Tx
from servicekit.http import Admin, Caller, Cursor, Doer, Limit, Page, problems
from servicekit.http.bodies import PAGE
from servicekit.idempotency import Idempotent, InFlight, Mismatch

from auth import domain, store
from auth.api.parts import WithParts
from auth.api.shapes import NewTeam, TeamChange, TeamOut
from auth.domain import SeesLess, Team, TeamMissing, TeamNameTaken, UserMissing

_VIEW = "teams"

router = APIRouter(prefix="/api/teams", tags=["teams"])


@router.get("", responses=problems(cursors.BadCursor))
async def list_teams(caller: Caller, parts: WithParts, cursor: Cursor = None, limit: Limit = PAGE) -> Page[TeamOut]:
    """List the account's teams, in the order in which they were made."""
    after = cursors.decode(caller.tenant, _VIEW, cursor, tuple[UUID])[0] if cursor else None
    async with parts.db.transaction(caller.tenant) as tx:
        found = await store.teams.page(tx, caller.tenant, after=after, limit=limit + 1)
    more = cursors.encode(caller.tenant, _VIEW, (found[limit - 1].id,)) if len(found) > limit else None
    return Page(items=[TeamOut.of(team) for team in found[:limit]], next_cursor=more)


@router.post("", status_code=201, response_model=TeamOut, responses=problems(TeamNameTaken, UserMissing, InFlight, Mismatch))
async def create_team(body: NewTeam, admin: Admin, doer: Doer, parts: WithParts, idem: Idempotent) -> Response:
    """Make a team."""
    members = tuple(sorted(set(body.members)))
    team = Team(id=ids.new(), tenant=admin.tenant, name=body.name, created_at=datetime.now(UTC), members=members)
    async with parts.db.transaction(admin.tenant) as tx:
        if stored := await idem.begin(tx):
            return stored.response()
        await _demand_people(tx, admin.tenant, members)
        await store.teams.add(tx, team)
        await store.access.touch(tx, admin.tenant, members)
        await outbox.add(tx, wrap(admin.tenant, TeamCreated(team=team.id, name=team.name, members=members, actor=doer)))
        answer = await idem.finish(tx, 201, TeamOut.of(team).model_dump_json().encode())
    parts.limited.set()
    return answer


@router.get("/{id}", responses=problems(TeamMissing))
async def read_team(id: PublicTeamId, caller: Caller, parts: WithParts) -> TeamOut:
    """Read a team."""
    async with parts.db.transaction(caller.tenant) as tx:
        return TeamOut.of(await store.teams.find(tx, caller.tenant, id))


@router.patch("/{id}", responses=problems(TeamMissing, TeamNameTaken, UserMissing, SeesLess))
async def change_team(id: PublicTeamId, body: TeamChange, admin: Admin, doer: Doer, parts: WithParts) -> TeamOut:
    """Give a team another name or other members."""
    async with parts.db.transaction(admin.tenant) as tx:
        before = await store.teams.find(tx, admin.tenant, id, lock=True)
        members = before.members if body.members is None else tuple(sorted(set(body.members)))
        team = replace(before, name=body.name or before.name, members=members)
        if team != before:
            await _demand_people(tx, admin.tenant, members)
            if not set(members) <= set(before.members):
                domain.may_join(admin, [id])
            await store.teams.save(tx, team)
            await store.access.touch(tx, admin.tenant, set(before.members) ^ set(members))
            await outbox.add(tx, wrap(admin.tenant, TeamChanged(team=id, name=team.name, members=members, actor=doer)))
    parts.limited.set()
    return TeamOut.of(team)


@router.delete("/{id}", status_code=204, response_class=Response, responses=problems(TeamMissing))
async def delete_team(id: PublicTeamId, admin: Admin, doer: Doer, parts: WithParts) -> None:
    """Dissolve a team; its members stay in the account."""
    async with parts.db.transaction(admin.tenant) as tx:
        team = await store.teams.find(tx, admin.tenant, id, lock=True)
        await store.teams.remove(tx, admin.tenant, id)
        await store.access.touch(tx, admin.tenant, team.members)
        await outbox.add(tx, wrap(admin.tenant, TeamDeleted(team=id, name=team.name, actor=doer)))
    parts.limited.set()


async def _demand_people(tx: Tx, tenant: TenantId, members: tuple[UserId, ...]) -> None:
    if members and await store.users.missing(tx, tenant, members):
        raise UserMissing("Nobody in this account has one of these ids.")
