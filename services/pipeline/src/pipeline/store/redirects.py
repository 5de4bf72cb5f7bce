"""Contacts and chats that turned out to be others, and lead to those in one step.

Whoever writes facts of a tenant holds `hold`, so that nothing brings back what a merge at the same time takes away.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg
from contracts.ids import ChatId, ContactId, TenantId

Key = tuple[TenantId, UUID]


@dataclass(frozen=True, slots=True)
class Redirects:
    """Who stands for whom, of those that were asked about."""

    chats: dict[Key, UUID] = field(default_factory=dict)
    contacts: dict[Key, UUID] = field(default_factory=dict)

    def chat(self, tenant: TenantId, id: UUID) -> ChatId:
        """Give the chat that stands for this one: mostly itself."""
        return ChatId(self.chats.get((tenant, id), id))

    def contact(self, tenant: TenantId, id: UUID) -> ContactId:
        """Give the contact that stands for this one: mostly itself."""
        return ContactId(self.contacts.get((tenant, id), id))


def became(some: dict[Key, UUID], tenant: TenantId, old: UUID, new: UUID) -> None:
    """*old* is *new* from now on, and with it whatever had become *old*."""
    for key, stands in some.items():
        if key[0] == tenant and stands == old:
            some[key] = new
    some[tenant, old] = new


async def hold(c: asyncpg.Connection, tenants: Iterable[TenantId], merging: Collection[TenantId]) -> None:
    """Until the transaction ends nobody merges chats of *tenants*, and of those of *merging* nobody writes facts."""
    for tenant in sorted(tenants):
        kind = "" if tenant in merging else "_shared"
        await c.execute(f"select pg_advisory_xact_lock{kind}(hashtextextended($1, 0))", f"pipeline facts {tenant}")


async def read(c: asyncpg.Connection, chats: Collection[Key], contacts: Collection[Key]) -> Redirects:
    """Read who stands for these."""
    found = Redirects()
    for table, keys, into in (("chat_redirects", chats, found.chats), ("contact_redirects", contacts, found.contacts)):
        if keys:
            rows = await c.fetch(
                f"select r.tenant, r.old, r.new from unnest($1::uuid[], $2::uuid[]) as u (tenant, old) "  # noqa: S608  # constants
                f"join {table} r on r.tenant = u.tenant and r.old = u.old",
                *zip(*sorted(keys), strict=True),
            )
            into |= {(TenantId(UUID(int=row["tenant"].int)), UUID(int=row["old"].int)): UUID(int=row["new"].int) for row in rows}
    return found


async def today(c: asyncpg.Connection, tenant: TenantId, chats: Iterable[ChatId]) -> list[ChatId]:
    """Give the chats that stand for these, each once, in their order."""
    some = list(chats)
    known = await read(c, [(tenant, id) for id in some], ())
    return list(dict.fromkeys(known.chat(tenant, id) for id in some))
