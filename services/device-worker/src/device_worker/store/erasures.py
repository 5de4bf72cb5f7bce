"""Who is to be erased: what waits to be sent to them, whom a number knows, and the order itself once all is done."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from contracts import ids
from contracts.commands import ErasePerson, MarkRead
from contracts.envelope import Envelope, wrap
from contracts.events.privacy import DevicesErased
from contracts.ids import DeviceId, TenantId
from contracts.whatsapp import Address
from servicekit import outbox
from servicekit.db import Tx, raw

from device_worker.store import blocks, peers

_addresses = msgspec.json.Decoder(tuple[Address, ...])
_read = msgspec.json.Decoder(MarkRead)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of *tenant* who is to be erased.

    Attributes:
        jids: Of the tenant's numbers, as the library calls them.
    """

    tenant: TenantId
    erasure: UUID
    addresses: tuple[Address, ...]
    jids: tuple[str, ...]


async def add(tx: Tx, orders: Sequence[Envelope[ErasePerson]]) -> None:
    """These are to be erased; an order that comes again changes nothing."""
    c = await raw(tx)
    for order in orders:
        await c.execute(
            "insert into erasures (tenant, id, addresses) values ($1, $2, $3::jsonb) on conflict do nothing",
            order.tenant,
            order.data.erasure,
            msgspec.json.encode(order.data.addresses).decode(),
        )


async def first(system: Tx) -> Person | None:
    """Read and hold the first whom nobody is at; whoever cannot be finished goes behind the others."""
    c = await raw(system)
    row = await c.fetchrow("select tenant, id, addresses::text from erasures order by made_at limit 1 for update skip locked")
    if row is None:
        return None
    await c.execute("update erasures set made_at = now() where tenant = $1 and id = $2", row["tenant"], row["id"])
    numbers = await c.fetch("select jid from devices where tenant = $1 and jid is not null", row["tenant"])
    return Person(row["tenant"], row["id"], _addresses.decode(row["addresses"]), tuple(number["jid"] for number in numbers))


async def forget(system: Tx, person: Person) -> tuple[int, bool]:
    """Nothing waits for the person and no number knows them; tells how much that was, and whether nothing is just being sent."""
    c = await raw(system)
    devices = [DeviceId(row["id"]) for row in await c.fetch("select id from devices where tenant = $1", person.tenant)]
    known = [peers.digest(device, address) for device in devices for address in person.addresses]
    mine = await _theirs(c, person, known)
    gone = await c.fetch(
        "delete from sends where tenant = $1 and id = any($2::uuid[]) and status <> 'sending' returning id", person.tenant, mine
    )
    met = await c.fetch("delete from peers where tenant = $1 and peer = any($2::bytea[]) returning 1", person.tenant, known)
    waited = await blocks.forget(system, person.tenant, person.addresses)
    return len(gone) + len(met) + waited, len(gone) == len(mine)


async def _theirs(c: asyncpg.Connection, person: Person, known: Sequence[bytes]) -> list[UUID]:
    rows = await c.fetch(
        # What has ended keeps no payload, and with it nobody.
        "select id, kind, payload from sends where tenant = $1 and (peer = any($2::bytea[]) or kind = 'read' and payload <> '')",
        person.tenant,
        list(known),
    )
    return [row["id"] for row in rows if row["kind"] != "read" or _about(_read.decode(row["payload"]), person.addresses)]


def _about(mark: MarkRead, addresses: Sequence[Address]) -> bool:
    return mark.chat in addresses or mark.sender in addresses


async def done(system: Tx, person: Person, removed: int) -> None:
    """The order is gone, and others hear that it is done."""
    await (await raw(system)).execute("delete from erasures where tenant = $1 and id = $2", person.tenant, person.erasure)
    fact: Envelope[Any] = wrap(
        person.tenant, DevicesErased(erasure=person.erasure, removed=removed), id=ids.derived("erased", "devices", person.erasure)
    )
    await outbox.add(system, fact)
