"""What auth says that an account may have and do, and how it is kept to."""

import asyncio
from typing import Any

import pytest
from contracts import buckets, ids
from contracts.envelope import decode, wrap
from contracts.events.auth import AccountChanged, AccountRegistered, Limits
from contracts.events.devices import DeviceChanged, DeviceOrdered
from contracts.ids import DeviceId
from contracts.principal import Access, Role
from device_worker import consumers
from servicekit.auth import encode_access
from servicekit.db import raw
from servicekit.testing import eventually


def changed(revision: int, most: int | None = None, *, suspended: bool = False) -> AccountChanged:
    return AccountChanged(
        name="Panadería Sol",
        locale="es",
        time_zone="America/Bogota",
        currency="COP",
        limits=Limits(devices=most),
        suspended=suspended,
        revision=revision,
    )


@pytest.fixture
def told(db, tenant) -> Any:
    """Let the service hear of the account."""

    async def tell(*facts: Any) -> None:
        await consumers.known_accounts(db).handle([wrap(tenant, fact) for fact in facts])

    return tell


async def add(client: Any, name: str = "Ventas", **headers: str) -> Any:
    return await client.post("/api/devices", json={"name": name}, headers=headers)


async def test_an_account_has_as_many_numbers_as_it_may_and_a_deleted_one_makes_room(client, told):
    await told(changed(1, 2))
    made = [(await add(client)).json() for _ in range(2)]
    refused = await add(client, **{"Idempotency-Key": "third"})
    assert (refused.status_code, refused.json()["code"], refused.json()["most"]) == (409, "device-limit", 2)
    assert (await client.delete(f"/api/devices/{made[0]['id']}")).status_code == 204
    assert (await add(client, **{"Idempotency-Key": "third"})).status_code == 201
    await told(changed(2, 1))
    assert len((await client.get("/api/devices")).json()["items"]) == 2
    assert (await client.post(f"/api/devices/{made[1]['id']}/connect")).status_code == 200
    await told(changed(3))
    assert (await add(client)).status_code == 201


async def test_many_numbers_at_once_are_not_more_than_the_limit(client, told):
    await told(changed(1, 3))
    answers = await asyncio.gather(*(add(client) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 5


async def test_the_newest_revision_counts_in_whatever_order_it_comes(client, told):
    await told(changed(3), changed(2, 0))
    await told(AccountRegistered(name="Sol", locale="es", time_zone="UTC", currency="COP"), changed(1, 0, suspended=True))
    assert (await add(client)).status_code == 201


async def test_the_numbers_of_a_suspended_account_stand_still_until_it_is_let_in(client, told, system_db):
    paired, idle, pairing = [(await add(client)).json()["id"] for _ in range(3)]
    async with system_db.system() as tx:
        await (await raw(tx)).execute(
            "update devices set wanted = 'connected', state = 'connected', jid = '5215:3@s.whatsapp.net' where id = $1", inner(paired)
        )
    assert (await client.post(f"/api/devices/{pairing}/connect")).json()["state"] == "pairing"
    await told(changed(1, suspended=True))
    phone = {"phone": "5215550001111"}
    for path, body in ((f"/{idle}/connect", None), (f"/{paired}/connect", None), (f"/{idle}/pairing-code", phone), ("", {"name": "x"})):
        refused = await client.post(f"/api/devices{path}", json=body)
        assert (refused.status_code, refused.json()["code"]) == (403, "account-suspended"), path
    shown = {device["id"]: (device["state"], device["reason"], device["wanted"]) for device in await listed(client)}
    assert shown == {
        paired: ("disconnected", "account-suspended", "connected"),
        idle: ("new", None, "disconnected"),
        pairing: ("new", "account-suspended", "disconnected"),
    }
    await told(changed(1, suspended=True))
    await told(changed(2))
    states = {device["id"]: (device["state"], device["reason"]) for device in await listed(client)}
    assert states[paired] == ("connecting", None)
    async with system_db.system() as tx:
        rows = await (await raw(tx)).fetch("select payload from outbox order by id")
    said = [decode(row["payload"]).data for row in rows]
    assert [fact.reason for fact in said if isinstance(fact, DeviceChanged) and fact.id == paired] == [None, "account-suspended", None]


async def listed(client: Any) -> list[dict[str, Any]]:
    return list((await client.get("/api/devices")).json()["items"])


def inner(device: str) -> DeviceId:
    return DeviceId(ids.parse(ids.DEVICE, device))


async def test_who_sees_some_numbers_only_has_their_new_number_in_sight_when_they_are_answered(client, signed_in, tenant, bus, system_db):
    someone = signed_in(Role.ADMIN, tenant)
    limits = await bus.bucket(buckets.ACCESS)
    await limits.put(str(someone.principal.id), encode_access(Access(devices=frozenset())))

    async def limited() -> bool:
        return bool((await client.get("/api/devices", headers=someone.headers)).json()["items"] == [])

    first = (await add(client)).json()["id"]
    await eventually(limited)

    async def as_auth_does() -> None:
        """Auth hears who added it, and tells everyone."""

        async def ordered() -> DeviceOrdered:
            async with system_db.system() as tx:
                rows = await (await raw(tx)).fetch("select payload from outbox order by id")
            facts = [decode(row["payload"]).data for row in rows]
            found = [fact for fact in facts if isinstance(fact, DeviceOrdered) and fact.name == "Mía"]
            assert found
            return found[0]

        order = await eventually(ordered)
        assert (order.order, order.actor.id) == ("add", someone.principal.id)
        await limits.put(str(someone.principal.id), encode_access(Access(devices=frozenset({inner(order.id)}))))

    answer, _ = await asyncio.gather(add(client, "Mía", **someone.headers), as_auth_does())
    mine = answer.json()["id"]
    assert (await client.get(f"/api/devices/{mine}", headers=someone.headers)).status_code == 200
    assert (await client.get(f"/api/devices/{first}", headers=someone.headers)).status_code == 404


@pytest.mark.timeout(120)
async def test_what_waits_to_be_sent_leaves_when_a_suspended_account_is_let_in_again(world, told):
    await world.worker()
    device = await world.linked()
    await told(changed(1, suspended=True))
    await world.until(device, "disconnected")
    assert (await world.show(device))["reason"] == "account-suspended"
    message = await world.order(device, world.ana, "Ya abrimos")

    async def waits() -> None:
        rows = await world.rows("select status from sends where id = $1", message)
        assert [row["status"] for row in rows] == ["queued"]

    await eventually(waits)
    assert (await world.phones.get(f"/phones/{world.ana}/inbox?after=0&wait=1"))["items"] == []
    await waits()
    await told(changed(2))
    await world.until(device, "connected")
    inbox = await world.phones.get(f"/phones/{world.ana}/inbox?after=0&wait=20")
    assert [item["text"] for item in inbox["items"]] == ["Ya abrimos"]
