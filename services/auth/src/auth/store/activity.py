"""Who did what."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.ids import TenantId
from servicekit.db import Tx, raw
from sqlalchemy import delete, func, or_, select, tuple_

from auth.domain.activity import ENDS, Deed, Doer
from auth.store.tables import activity, api_keys, users


@dataclass(frozen=True, slots=True)
class Line:
    """A deed with the name that who did it has now."""

    deed: Deed
    actor_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which lines are wanted; *kind* is a whole kind or its beginning up to a dot."""

    actor: UUID | None = None
    actor_kind: Doer | None = None
    target: str | None = None
    kind: str | None = None
    after: datetime | None = None
    before: datetime | None = None


async def add(tx: Tx, deeds: Sequence[Deed]) -> None:
    """Write these lines, in one statement; one that stands there already stays as it is."""
    await (await raw(tx)).execute(
        "insert into activity (tenant, id, at, kind, actor_kind, actor, target, address) "
        "select * from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::uuid[], $7::text[], $8::text[]) "
        "on conflict do nothing",
        [deed.tenant for deed in deeds],
        [deed.id for deed in deeds],
        [deed.at for deed in deeds],
        [deed.kind for deed in deeds],
        [deed.actor_kind for deed in deeds],
        [deed.actor for deed in deeds],
        [deed.target for deed in deeds],
        [deed.address for deed in deeds],
    )


async def page(tx: Tx, tenant: TenantId, wanted: Filter, *, beyond: tuple[datetime, UUID] | None, limit: int) -> list[Line]:
    """Read *limit* lines, the latest first, those beyond *beyond*."""
    name = func.coalesce(users.c.name, api_keys.c.name).label("actor_name")
    joined = activity.outerjoin(users, (users.c.tenant == activity.c.tenant) & (users.c.id == activity.c.actor)).outerjoin(
        api_keys, (api_keys.c.tenant == activity.c.tenant) & (api_keys.c.id == activity.c.actor)
    )
    statement = select(activity, name).select_from(joined).where(activity.c.tenant == tenant)
    if wanted.actor is not None:
        statement = statement.where(activity.c.actor == wanted.actor)
    if wanted.actor_kind is not None:
        statement = statement.where(activity.c.actor_kind == wanted.actor_kind)
    if wanted.target is not None:
        statement = statement.where(activity.c.target == wanted.target)
    if wanted.kind is not None:
        begins = func.starts_with(activity.c.kind, wanted.kind + ".")
        statement = statement.where(or_(activity.c.kind == wanted.kind, begins))
    if wanted.after is not None:
        statement = statement.where(activity.c.at >= wanted.after)
    if wanted.before is not None:
        statement = statement.where(activity.c.at < wanted.before)
    if beyond is not None:
        statement = statement.where(tuple_(activity.c.at, activity.c.id) < tuple_(*beyond))
    statement = statement.order_by(activity.c.at.desc(), activity.c.id.desc()).limit(limit)
    return [_line(row) for row in (await tx.execute(statement)).mappings()]


async def ended(tx: Tx, tenant: TenantId, targets: Collection[str]) -> set[str]:
    """Tell which of *targets* are no more: the line that says so is younger than any other of theirs, so it is kept as long as they are."""
    if not targets:
        return set()
    theirs = (activity.c.tenant == tenant) & activity.c.target.in_(targets) & activity.c.kind.in_(ENDS)
    return set((await tx.execute(select(activity.c.target).where(theirs).distinct())).scalars())


async def forget(system: Tx, before: datetime) -> None:
    """Delete the lines from before then."""
    await system.execute(delete(activity).where(activity.c.at < before))


def _line(row: Any) -> Line:
    values = {name: value for name, value in row.items() if name != "actor_name"}
    return Line(Deed(**values), row["actor_name"])
