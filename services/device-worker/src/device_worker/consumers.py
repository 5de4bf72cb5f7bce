"""What others order and ask of this service, taken by any API replica."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from contracts import subjects
from contracts.commands import BlockPerson, ErasePerson, MarkRead, SendMessage
from contracts.envelope import Envelope
from contracts.events.auth import AccountChanged, AccountRegistered
from contracts.ids import DeviceId, TenantId
from servicekit.bus import Consumer
from servicekit.db import Database

from device_worker.domain import DeviceMissing
from device_worker.store import accounts, blocks, devices, erasures, sends

#: The question whose answer is a device as it stands.
DEVICE = subjects.ask("devices", "device")


class DeviceQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Which device."""

    tenant: TenantId
    device: DeviceId


def orders(db: Database) -> Consumer:
    """Queue what is to be sent, who is to be blocked, who is to be erased. The shard's owner is woken by the commit; that is all here."""

    async def handle(envelopes: Sequence[Envelope[Any]]) -> None:
        async with db.transaction({envelope.tenant for envelope in envelopes}) as tx:
            await sends.insert(tx, [one for one in envelopes if isinstance(one.data, SendMessage | MarkRead)])
            await blocks.add(tx, [one for one in envelopes if isinstance(one.data, BlockPerson)])
            await erasures.add(tx, [one for one in envelopes if isinstance(one.data, ErasePerson)])

    return Consumer(
        durable="devices-orders",
        stream=subjects.COMMANDS,
        bodies=(SendMessage, MarkRead, BlockPerson, ErasePerson),
        handle=handle,
        concurrency=4,
    )


def known_accounts(db: Database) -> Consumer:
    """Know what each account may have and do. The revision of an account decides, not the order of arrival."""

    async def handle(envelopes: Sequence[Envelope[Any]]) -> None:
        async with db.transaction({envelope.tenant for envelope in envelopes}) as tx:
            moved = await accounts.learn(tx, [(envelope.tenant, envelope.data) for envelope in envelopes])
            for tenant, suspended in moved.items():
                await accounts.stand(tx, tenant, suspended, datetime.now(UTC))

    return Consumer(durable="devices-accounts", stream=subjects.EVENTS, bodies=(AccountRegistered, AccountChanged), handle=handle)


def answer_device(db: Database) -> Callable[[bytes], Awaitable[bytes]]:
    """Tell a service that does not know a device how it stands, as `DeviceChanged`; null when there is none."""

    async def answer(payload: bytes) -> bytes:
        question = msgspec.json.decode(payload, type=DeviceQuestion)
        async with db.transaction(question.tenant) as tx:
            try:
                device = await devices.find(tx, question.tenant, question.device)
            except DeviceMissing:
                return b"null"
        return msgspec.json.encode(device.event())

    return answer
