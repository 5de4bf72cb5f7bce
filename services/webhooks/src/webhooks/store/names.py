"""What numbers are called, and whose phone is behind a chat: as much of others' facts as WAHA's shape needs."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import asyncpg
from contracts import ids
from contracts.envelope import Envelope
from contracts.events.conversations import ContactChanged, ContactCreated
from contracts.events.devices import DeviceChanged
from contracts.views import ChatState, Message


async def learn(c: asyncpg.Connection, some: Sequence[Envelope[Any]]) -> None:
    """Take over what these facts say of numbers, contacts and chats; old news changes nothing."""
    numbers = {
        (one.tenant, ids.parse(ids.DEVICE, one.data.id)): one.data
        for one in sorted((one for one in some if isinstance(one.data, DeviceChanged)), key=lambda one: one.data.revision)
    }
    if numbers:
        await c.execute(
            "insert into numbers (tenant, id, name, phone, revision) "
            "select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bigint[]) "
            "on conflict (tenant, id) do update set name = excluded.name, phone = excluded.phone, revision = excluded.revision "
            "where numbers.revision < excluded.revision",
            *_columns(
                (tenant, id, numbers[tenant, id].name, numbers[tenant, id].phone, numbers[tenant, id].revision)
                for tenant, id in sorted(numbers)
            ),
        )
    people = {
        (one.tenant, ids.parse(ids.CONTACT, one.data.id)): one
        for one in sorted((one for one in some if isinstance(one.data, ContactCreated | ContactChanged)), key=lambda one: one.occurred_at)
        if one.data.phone
    }
    if people:
        await c.execute(
            "insert into people (tenant, id, phone, at) select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[]) "
            "on conflict (tenant, id) do update set phone = excluded.phone, at = excluded.at where people.at < excluded.at",
            *_columns((tenant, id, people[tenant, id].data.phone, people[tenant, id].occurred_at) for tenant, id in sorted(people)),
        )
    threads: dict[tuple[UUID, str], UUID] = {}
    for one in some:
        if isinstance(one.data, Message | ChatState) and one.data.contact_id:
            chat = one.data.chat_id if isinstance(one.data, Message) else one.data.id
            threads[one.tenant, chat] = ids.parse(ids.CONTACT, one.data.contact_id)
    if threads:
        await c.execute(
            "insert into threads (tenant, chat, contact) select * from unnest($1::uuid[], $2::text[], $3::uuid[]) "
            "on conflict (tenant, chat) do update set contact = excluded.contact where threads.contact <> excluded.contact",
            *_columns((tenant, chat, threads[tenant, chat]) for tenant, chat in sorted(threads)),
        )


def _columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
