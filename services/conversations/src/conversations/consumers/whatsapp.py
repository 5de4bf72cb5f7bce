"""The durable ``conversations-whatsapp``: what the device-workers observed becomes contacts, chats, messages and ticks.

One batch is one transaction over the tenants of its rows, in set-based statements. The outcome does not depend on the
order in which facts arrive, nor on repeats: a message's natural key, a status's rank, a device's revision and the time of a
fact decide. Several replicas may handle batches at once; the rows of contacts and chats serialise them.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from contracts import subjects
from contracts.envelope import Envelope
from contracts.events.devices import (
    BlockObserved,
    BlockSettled,
    BlocksListed,
    DeviceChanged,
    DeviceDeleted,
    GroupObserved,
    MessageObserved,
    MessageSent,
    MessageUnreadable,
    MessageUnsent,
    ReceiptObserved,
)
from servicekit import outbox
from servicekit.bus import Consumer
from servicekit.db import Database, Tx, raw

from conversations import store
from conversations.consumers import metrics
from conversations.consumers.acts import Acts
from conversations.consumers.batch import Batch
from conversations.consumers.inbound import Inbound
from conversations.consumers.outbound import Outbound
from conversations.store import blocking, chats, devices, erasing, identities, messages, moves
from conversations.store.chats import Thread
from conversations.store.moves import Move

DURABLE = "conversations-whatsapp"
BODIES = (
    MessageObserved,
    GroupObserved,
    ReceiptObserved,
    MessageUnreadable,
    MessageSent,
    MessageUnsent,
    DeviceChanged,
    DeviceDeleted,
    BlockSettled,
    BlockObserved,
    BlocksListed,
)


def consumer(db: Database, *, batch: int, concurrency: int = 1) -> Consumer:
    """Describe the durable. Batches at the same time never share a tenant; with two, one computes while the other waits."""
    return Consumer(durable=DURABLE, stream=subjects.EVENTS, bodies=BODIES, handle=handler(db), batch=batch, concurrency=concurrency)


def handler(db: Database) -> Callable[[Sequence[Envelope[Any]]], Awaitable[None]]:
    """Give the handler of a batch in stream order, for any number of tenants."""

    async def handle(envelopes: Sequence[Envelope[Any]]) -> None:
        batch = Batch.of(envelopes)

        async def once() -> metrics.Told:
            async with db.transaction(batch.tenants) as tx:
                return await apply(tx, batch)

        told = await store.persistently(once)
        metrics.ROWS.observe(len(envelopes))
        metrics.count(told)

    return handle


async def apply(tx: Tx, batch: Batch) -> metrics.Told:
    """The facts of the batch hold, and what follows from them is in the outbox.  Raises: Moved."""
    c = await raw(tx)
    await store.by_index(c)
    await devices.learn(c, [(e.tenant, e.data) for e in batch.changed])
    await devices.forget(c, batch.deleted)
    await blocking.forget_devices(c, batch.deleted)
    batch.forget(await erasing.erased(c, batch.addresses()))
    people = await identities.resolve(c, batch.people, batch.hints)
    blocks = await blocking.heard(c, batch.settled, batch.blocks, datetime.now(UTC))

    inbound, outbound, acts = Inbound(batch), Outbound(batch), Acts(batch)
    opened = await chats.open(c, inbound.threads(people.contacts))
    groups = [Thread(e.tenant, e.data.device, None, e.data.chat.value) for e in batch.groups]
    known = await chats.find(c, [thread for thread in (*outbound.threads(people.contacts), *groups) if thread not in opened])
    threads: dict[Thread, Any] = {**known, **opened}
    touched = {(thread.tenant, chat) for thread, chat in threads.items()}
    touched |= await messages.chats_of(c, outbound.ids, outbound.names, from_me=True)
    touched |= await messages.chats_of(c, (), outbound.own_names, from_me=False)
    touched |= await acts.read(c)
    touched |= people.stands
    held = await chats.lock(c, touched)

    blocked = await identities.blocked(c, sorted({(t.tenant, t.contact) for t in opened if t.contact is not None}))
    await inbound.store(c, threads, blocked)
    joined = {(merge.tenant, merge.survivor) for merge in people.merges}
    for tenant, contact in sorted(joined | blocked):
        blocks += await blocking.align(c, tenant, contact, "merged" if (tenant, contact) in joined else "heard", datetime.now(UTC))
    await outbound.store(c, people.contacts, threads, inbound)
    acts.observed = inbound.acts
    await acts.store(c, [*inbound.new, *inbound.replaced, *outbound.named()])

    await chats.grow(c, inbound.growth)
    unread = await chats.recount(c, sorted(outbound.recount))
    renamed = await identities.remember_push_names(c, inbound.push_names())

    made = inbound.moves(held)
    named = await chats.name_groups(c, [(e.tenant, e.data) for e in batch.groups])
    made += [Move(held=held[chat], after=held[chat].standing, touched=True) for chat in sorted(named - {move.held.id for move in made})]
    made = moves.with_merged(made, held, people.became)
    audiences = {chat: one.audience for chat, one in held.items()} | {move.held.id: move.audience for move in made}

    told = [
        *await inbound.tell_contacts(c, people, renamed),
        *await moves.make(c, made, datetime.now(UTC)),
        *inbound.tell(audiences),
        *outbound.tell(audiences),
        *outbound.tell_read(held, unread),
        *acts.tell(audiences),
        *inbound.fetches,
        *blocks,
    ]
    if told:
        await outbox.add(tx, *told)
    return metrics.Told(
        new=len(inbound.new), known=inbound.known, replaced=len(inbound.replaced), advanced=outbound.advanced, kept=outbound.kept
    )
