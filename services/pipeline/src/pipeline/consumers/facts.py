"""The durable ``pipeline-facts``: what auth and conversations tell becomes what cards show, and leads by rule.

First what is known is brought up to date, in one transaction for the batch. Then rules run, each in a transaction of its own that
the log of runs makes a single one: a batch that comes again after a crash between the two still runs what has not run.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from contracts import ids, subjects
from contracts.envelope import Envelope, wrap
from contracts.events import auth
from contracts.events import conversations as chats
from contracts.events.privacy import PipelineErased
from contracts.ids import ChatId, ContactId, TenantId, UserId
from contracts.views import ChatState, Message
from servicekit import idempotency, inbox, outbox
from servicekit.bus import Consumer
from servicekit.db import Database, Tx, raw

from pipeline import store
from pipeline.consumers import runs
from pipeline.domain import rules
from pipeline.domain.errors import FactUnusable
from pipeline.domain.rules import Rule, Tagged
from pipeline.store import deeds, erasing, known, merging, pipelines, redirects
from pipeline.store import rules as stored
from pipeline.store.known import Growth
from pipeline.store.redirects import Redirects

DURABLE = "pipeline-facts"
#: Leads whose tag is gone, in one transaction.
UNTAGGED_AT_ONCE = 200
#: Of one person; by them conversations finds the events that still speak of it.
_MOST_NAMED = 10_000
BODIES = (
    auth.AccountRegistered,
    auth.AccountChanged,
    auth.UserCreated,
    auth.UserChanged,
    auth.TeamCreated,
    auth.TeamChanged,
    auth.TeamDeleted,
    chats.ContactCreated,
    chats.ContactChanged,
    chats.ContactErased,
    chats.ChatCreated,
    chats.ChatChanged,
    chats.ChatAssigned,
    chats.ChatRead,
    chats.MessageReceived,
    chats.MessageQueued,
    chats.TagChanged,
)


def consumer(db: Database, *, batch: int) -> Consumer:
    """Describe the durable."""
    return Consumer(durable=DURABLE, stream=subjects.EVENTS, bodies=BODIES, handle=handler(db), batch=batch)


def handler(db: Database) -> Callable[[Sequence[Envelope[Any]]], Awaitable[None]]:
    """Give the handler of a batch in stream order, for any number of tenants."""

    async def handle(envelopes: Sequence[Envelope[Any]]) -> None:
        for envelope in envelopes:
            _check(envelope)

        async def once() -> None:
            async with db.transaction({one.tenant for one in envelopes}) as tx:
                await _learn(tx, envelopes)

        await store.persistently(once)
        for envelope in envelopes:
            if isinstance(envelope.data, chats.TagChanged) and envelope.data.deleted:
                await _untag(db, envelope.tenant, ids.parse(ids.TAG, envelope.data.id))
        await _run_rules(db, envelopes)

    return handle


async def _learn(tx: Tx, envelopes: Sequence[Envelope[Any]]) -> None:
    c = await raw(tx)
    growth: dict[tuple[TenantId, ChatId], Growth] = {}
    told: list[Envelope[Any]] = []
    merges = {one.tenant for one in envelopes if getattr(one.data, "merged", None)}
    await redirects.hold(c, {one.tenant for one in envelopes}, merges)
    stands = await redirects.read(c, *_named(envelopes))
    for envelope in await inbox.fresh(tx, DURABLE, envelopes):
        if isinstance(envelope.data, Message):
            one = growth.setdefault((envelope.tenant, ChatId(ids.parse(ids.CHAT, envelope.data.chat_id))), Growth(envelope.data))
            one.add(envelope.data, inbound=_inbound(envelope))
        elif isinstance(envelope.data, chats.ContactErased):
            for chat in envelope.data.chat_ids:
                growth.pop((envelope.tenant, ChatId(ids.parse(ids.CHAT, chat))), None)
            told += await _erase(tx, envelope)
        else:
            told += await _apply(c, stands, envelope)
    await known.grow(c, _of_today(stands, growth), stands)
    await outbox.add(tx, *told)


async def _untag(db: Database, tenant: TenantId, tag: UUID) -> None:
    """No lead bears the tag, and whoever sees one has heard so. A part at a time: broken off, it goes on where it was."""
    after: UUID | None = UUID(int=0)
    while after is not None:

        async def once(behind: UUID = after) -> UUID | None:
            async with db.transaction(tenant) as tx:
                told, last = await deeds.untag(await raw(tx), tenant, tag, after=behind, limit=UNTAGGED_AT_ONCE)
                await outbox.add(tx, *told)
            return last

        after = await store.persistently(once)


def _named(envelopes: Sequence[Envelope[Any]]) -> tuple[set[tuple[TenantId, UUID]], set[tuple[TenantId, UUID]]]:
    """Give the chats and the contacts that these facts are about."""
    threads: set[tuple[TenantId, str]] = set()
    people: set[tuple[TenantId, str | None]] = set()
    for one in envelopes:
        match one.data:
            case Message() as fact:
                threads.add((one.tenant, fact.chat_id))
                people.add((one.tenant, fact.contact_id))
            case ChatState() as fact:
                threads.add((one.tenant, fact.id))
                people.add((one.tenant, fact.contact_id))
            case chats.ChatRead() | chats.ChatAssigned() as fact:
                threads.add((one.tenant, fact.id))
            case chats.ContactCreated() | chats.ContactChanged() as fact:
                people.add((one.tenant, fact.id))
    return (
        {(tenant, ids.parse(ids.CHAT, id)) for tenant, id in threads},
        {(tenant, ids.parse(ids.CONTACT, id)) for tenant, id in people if id is not None},
    )


def _of_today(stands: Redirects, growth: dict[tuple[TenantId, ChatId], Growth]) -> dict[tuple[TenantId, ChatId], Growth]:
    """Give what chats grew by to those that they are today."""
    found: dict[tuple[TenantId, ChatId], Growth] = {}
    for (tenant, chat), one in growth.items():
        key = tenant, stands.chat(tenant, chat)
        if key in found:
            found[key].join(one)
        else:
            found[key] = one
    return found


async def _apply(c: asyncpg.Connection, stands: Redirects, envelope: Envelope[Any]) -> list[Envelope[Any]]:
    tenant, at = envelope.tenant, envelope.occurred_at
    match envelope.data:
        case auth.AccountRegistered() as fact:
            await known.account(c, tenant, fact.locale, fact.currency, fact.time_zone, 0)
            # Somebody may be making the first pipeline right now, without knowing the account: wait for it, then put its guess right.
            await pipelines.every(c, tenant)
            await pipelines.settle(c, tenant, fact.locale, fact.currency)
        case auth.AccountChanged() as fact:
            await known.account(c, tenant, fact.locale, fact.currency, fact.time_zone, fact.revision)
        case auth.UserCreated() as fact:
            await known.user(c, tenant, fact.user, fact.name, True, 0)
        case auth.UserChanged() as fact:
            await known.user(c, tenant, fact.user, fact.name, fact.active, fact.version)
        case auth.TeamCreated() | auth.TeamChanged() as fact:
            await known.team(c, tenant, fact.team, fact.name)
        case auth.TeamDeleted() as fact:
            await known.team(c, tenant, fact.team, None)
        case chats.ContactCreated() | chats.ContactChanged() as fact:
            contact = ContactId(ids.parse(ids.CONTACT, fact.id))
            if stands.contact(tenant, contact) == contact:  # else it is old news, of somebody who is another by now
                await known.contact(c, tenant, contact, fact.name, fact.phone, at)
            if isinstance(fact, chats.ContactChanged) and fact.merged is not None:
                return await merging.contacts(c, stands, tenant, contact, ContactId(ids.parse(ids.CONTACT, fact.merged)))
        case chats.TagChanged() as fact:
            await known.tag(c, tenant, ids.parse(ids.TAG, fact.id), fact.name, fact.color, fact.deleted, at)
        case chats.ChatRead() as fact:
            await known.read(c, tenant, ChatId(ids.parse(ids.CHAT, fact.id)), fact.unread, at)
        case chats.ChatAssigned() as fact:
            if _is_itself(stands, tenant, fact.id):
                return await _assigned(c, tenant, fact)
        case ChatState() as fact:
            return await _stands(c, stands, tenant, fact, at)
    return []


async def _stands(c: asyncpg.Connection, stands: Redirects, tenant: TenantId, fact: ChatState, at: datetime) -> list[Envelope[Any]]:
    """The chat stands like this, and what became it is it; of one that is another by now only the latter counts."""
    id = ChatId(ids.parse(ids.CHAT, fact.id))
    told: list[Envelope[Any]] = []
    for gone in fact.merged if isinstance(fact, chats.ChatChanged) else ():
        told += await merging.chats(c, stands, tenant, id, ChatId(ids.parse(ids.CHAT, gone)))
    if not _is_itself(stands, tenant, fact.id):
        return told
    contact = None if fact.contact_id is None else stands.contact(tenant, ids.parse(ids.CONTACT, fact.contact_id))
    if await known.chat_state(c, tenant, fact, contact, at) and (chat := await known.chat(c, tenant, id)) is not None:
        told += await deeds.follow_chat(c, tenant, chat, at=None)
    return told


def _is_itself(stands: Redirects, tenant: TenantId, chat: str) -> bool:
    id = ids.parse(ids.CHAT, chat)
    return stands.chat(tenant, id) == id


async def _erase(tx: Tx, envelope: Envelope[Any]) -> list[Envelope[Any]]:
    tenant, fact = envelope.tenant, envelope.data
    contacts = [ids.parse(ids.CONTACT, id) for id in (fact.id, *fact.merged)]
    threads = [ids.parse(ids.CHAT, id) for id in fact.chat_ids]
    names, told = await erasing.forget(await raw(tx), tenant, contacts, threads, envelope.occurred_at)
    await idempotency.forget(tx, tenant, (*names, fact.id, *fact.merged, *fact.chat_ids))
    erasure = ids.parse(ids.ERASURE, fact.erasure_id)
    done = PipelineErased(erasure=erasure, removed=len(names), names=tuple(names[:_MOST_NAMED]))
    return [*told, wrap(tenant, done, id=ids.derived("erased", "pipeline", erasure))]


async def _assigned(c: asyncpg.Connection, tenant: TenantId, fact: chats.ChatAssigned) -> list[Envelope[Any]]:
    chat = ChatId(ids.parse(ids.CHAT, fact.id))
    assignee = UserId(ids.parse(ids.USER, fact.assignee_id)) if fact.assignee_id else None
    team = ids.parse(ids.TEAM, fact.team_id) if fact.team_id else None
    if not await known.assigned(c, tenant, chat, ids.parse(ids.DEVICE, fact.device_id), assignee, team, fact.at):  # type: ignore[arg-type]
        return []
    about = await known.chat(c, tenant, chat)
    return await deeds.follow_chat(c, tenant, about, at=fact.at) if about else []


async def _run_rules(db: Database, envelopes: Sequence[Envelope[Any]]) -> None:
    """The rules that these facts set off have run."""
    causes = [one for one in envelopes if _inbound(one) or (isinstance(one.data, ChatState) and one.data.tags)]
    known_rules: dict[TenantId, list[Rule]] = {}
    for tenant in {one.tenant for one in causes}:
        async with db.transaction(tenant) as tx:
            known_rules[tenant] = [rule for rule in await stored.every(await raw(tx), tenant, enabled=True) if rule.makes_leads]
    for envelope in causes:
        for rule in known_rules[envelope.tenant]:
            await _run(db, envelope, rule)


async def _run(db: Database, envelope: Envelope[Any], rule: Rule) -> None:
    fact = envelope.data
    if isinstance(fact, Message) == isinstance(rule.trigger, Tagged):
        return
    tenant = envelope.tenant
    chat = ChatId(ids.parse(ids.CHAT, fact.chat_id if isinstance(fact, Message) else fact.id))
    cause = runs.Cause(tenant=tenant, id=envelope.id, at=envelope.occurred_at)

    async def once() -> None:
        async with db.transaction(tenant) as tx:
            c = await raw(tx)
            [now] = await redirects.today(c, tenant, [chat])
            if isinstance(fact, Message):
                first = await known.first_of(c, tenant, now) == ids.parse(ids.MESSAGE, fact.id)
                wanted = rules.hears(rule.trigger, text=fact.text, first=first, device=ids.parse(ids.DEVICE, fact.device_id))
            else:
                wanted = isinstance(rule.trigger, Tagged) and await known.brought(c, tenant, chat, rule.trigger.tag_id, fact.revision)
            if wanted:
                await outbox.add(tx, *await runs.for_chat(c, cause, rule, chat))

    await store.persistently(once)


def _inbound(envelope: Envelope[Any]) -> bool:
    """Tell whether it is what a customer just wrote: no old message, none in a group, none of ours."""
    fact = envelope.data
    return isinstance(fact, chats.MessageReceived) and not (fact.from_me or fact.history or fact.group)


def _check(envelope: Envelope[Any]) -> None:
    """Return if the ids of a chat's fact can be read.  Raises: FactUnusable."""
    fact = envelope.data
    try:
        if isinstance(fact, Message):
            ids.parse(ids.CHAT, fact.chat_id), ids.parse(ids.MESSAGE, fact.id), ids.parse(ids.DEVICE, fact.device_id)
        elif isinstance(fact, ChatState | chats.ChatAssigned):
            ids.parse(ids.CHAT, fact.id), ids.parse(ids.DEVICE, fact.device_id)
    except ValueError as error:
        raise FactUnusable(str(error)) from None
