"""The API on a real database and bus, without a worker: what it writes, tells, refuses and shows."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import msgspec
from contracts import ids
from contracts.commands import SendMessage
from contracts.envelope import decode, wrap
from contracts.events.devices import DeviceChanged, MessageUnsent
from contracts.ids import DeviceId, MessageId, TenantId
from contracts.principal import Role, Scope
from contracts.whatsapp import Address
from device_worker import consumers, timers
from device_worker.consumers import DEVICE, DeviceQuestion, answer_device
from device_worker.domain import proxy_label
from device_worker.store import devices, pairings
from servicekit.db import Database, raw
from servicekit.migrations.lint import lint
from servicekit.testing import eventually
from servicekit.vault import Vault


async def a_device(client: httpx.AsyncClient, name: str = "Sales") -> dict[str, Any]:
    response = await client.post("/api/devices", json={"name": name})
    assert response.status_code == 201, response.text
    return dict(response.json())


def inner(device: dict[str, Any]) -> DeviceId:
    return DeviceId(ids.parse(ids.DEVICE, device["id"]))


async def outbox_of(system_db: Database) -> list[Any]:
    async with system_db.system() as tx:
        return [decode(row["payload"]) for row in await (await raw(tx)).fetch("select payload from outbox order by id")]


async def test_a_device_is_made_listed_renamed_and_deleted(client, system_db):
    made = await a_device(client)
    assert made["state"] == "new"
    assert made["wanted"] == "disconnected"
    assert (await client.get("/api/devices")).json() == {"items": [made], "next_cursor": None}
    renamed = await client.patch(f"/api/devices/{made['id']}", json={"name": "Support"})
    assert renamed.json()["name"] == "Support"
    assert (await client.get(f"/api/whatsapp/{made['id']}")).json() == renamed.json()
    assert (await client.delete(f"/api/devices/{made['id']}")).status_code == 204
    assert (await client.get(f"/api/devices/{made['id']}")).json()["code"] == "device-not-found"
    assert (await client.delete(f"/api/devices/{made['id']}")).status_code == 404
    told = await outbox_of(system_db)
    facts = [envelope.type for envelope in told if envelope.type != "devices.device.ordered"]
    assert facts == ["devices.device.changed", "devices.device.changed", "devices.device.deleted"]
    assert [envelope.data.order for envelope in told if envelope.type == "devices.device.ordered"] == ["add", "rename", "delete"]


async def test_proxies_are_sealed_anew_with_the_present_key_and_one_that_cannot_be_opened_stays_as_it_is(client, system_db, tenant):
    old, new, foreign = os.urandom(32), os.urandom(32), os.urandom(32)
    made = [await a_device(client, f"n{number}") for number in range(3)]
    address = b"socks5://user:password@proxy.example.com:1080"
    for device, key in zip(made, (old, foreign, None), strict=True):
        if key is not None:
            async with system_db.system() as tx:
                await devices.reseal(tx, tenant, inner(device), Vault(key).seal(address, what=proxy_label(inner(device))))
    await timers.reseal(system_db, Vault(new, old))
    async with system_db.system() as tx:
        found = {id: proxy for _, id, proxy in await devices.sealed(tx, UUID(int=0), 10)}
    opened = {inner(device): Vault(key) for device, key in zip(made, (new, foreign), strict=False)}
    assert {id: opened[id].open(proxy, what=proxy_label(id)) for id, proxy in found.items()} == dict.fromkeys(opened, address)
    shown = [(await client.get(f"/api/devices/{device['id']}")).json() for device in made]
    assert shown == made  # nothing has changed for anybody


async def test_the_list_has_pages_and_a_foreign_cursor_is_refused(client):
    made = [await a_device(client, f"n{number}") for number in range(5)]
    first = (await client.get("/api/devices", params={"limit": 3})).json()
    second = (await client.get("/api/devices", params={"limit": 3, "cursor": first["next_cursor"]})).json()
    assert [item["id"] for item in first["items"] + second["items"]] == [device["id"] for device in made]
    assert second["next_cursor"] is None
    refused = await client.get("/api/devices", params={"cursor": "abc"})
    assert (refused.status_code, refused.json()["code"]) == (422, "bad-cursor")


async def test_a_repeat_with_the_same_key_makes_one_device(client):
    headers = {"Idempotency-Key": "once"}
    first = await client.post("/api/devices", json={"name": "A"}, headers=headers)
    second = await client.post("/api/devices", json={"name": "A"}, headers=headers)
    assert first.json() == second.json()
    assert second.headers["Idempotency-Replayed"] == "true"
    assert (await client.post("/api/devices", json={"name": "B"}, headers=headers)).json()["code"] == "idempotency-mismatch"
    assert len((await client.get("/api/devices")).json()["items"]) == 1


async def test_another_account_sees_nothing_and_an_agent_only_looks(client, signed_in, tenant):
    made = await a_device(client)
    stranger = signed_in(Role.OWNER).headers
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/connect"), ("POST", "/logout"), ("GET", "/qr")):
        answer = await client.request(method, f"/api/devices/{made['id']}{path}", headers=stranger, json={"name": "x"})
        assert (answer.status_code, answer.json()["code"]) == (404, "device-not-found"), (method, path)
    agent = signed_in(Role.AGENT, tenant).headers
    assert (await client.get("/api/devices", headers=agent)).status_code == 200
    for path in ("connect", "disconnect", "logout"):
        assert (await client.post(f"/api/devices/{made['id']}/{path}", headers=agent)).status_code == 403
    assert (await client.post("/api/devices", json={"name": "x"}, headers=agent)).status_code == 403
    assert (await client.get("/api/devices", headers={"Authorization": ""})).status_code == 401


async def test_who_sees_some_numbers_only_finds_nothing_of_the_others(client, signed_in, tenant, limited):
    mine, other = [await a_device(client, name) for name in ("mine", "other")]
    admin = signed_in(Role.ADMIN, tenant)
    await limited(admin, inner(mine))

    async def listed() -> list[str]:
        return [item["id"] for item in (await client.get("/api/devices", headers=admin.headers)).json()["items"]]

    async def only_mine() -> bool:
        return await listed() == [mine["id"]]

    await eventually(only_mine)
    assert (await client.get(f"/api/devices/{mine['id']}", headers=admin.headers)).json() == mine
    for method, path in EACH:
        answer = await client.request(
            method, f"/api/devices/{other['id']}{path}", headers=admin.headers, json={"name": "x", "phone": "5215550000001"}
        )
        assert (answer.status_code, answer.json()["code"]) == (404, "device-not-found"), (method, path)
    assert (await client.get(f"/api/devices/{other['id']}")).json() == other
    await limited(admin, all=True)

    async def both() -> bool:
        return await listed() == [mine["id"], other["id"]]

    await eventually(both)


EACH = [
    ("GET", ""),
    ("PATCH", ""),
    ("GET", "/qr"),
    ("POST", "/connect"),
    ("POST", "/disconnect"),
    ("POST", "/logout"),
    ("POST", "/pairing-code"),
    ("DELETE", ""),
]
SCOPES = {("GET", ""): Scope.READ, ("PATCH", ""): Scope.SETTINGS, ("DELETE", ""): Scope.SETTINGS}


async def test_a_key_needs_the_scope_of_each_operation(client, signed_in, tenant):
    made = await a_device(client)
    body = {"name": "x", "phone": "no phone"}
    for method, path in EACH:
        needed = SCOPES.get((method, path), Scope.CONTROL)
        for scopes, refused in ((set(Scope) - {needed}, True), ({needed}, False)):
            key = signed_in(Role.ADMIN, tenant, scopes=scopes)
            answer = await client.request(method, f"/api/devices/{made['id']}{path}", headers=key.headers, json=body)
            assert (answer.status_code == 403) is refused, (method, path, answer.text)
            assert not refused or (answer.json()["code"], answer.json()["scope"]) == ("scope-missing", needed)


async def test_the_documentation_names_the_scopes(client):
    paths = (await client.get("/openapi.json")).json()["paths"]
    for method, path in EACH:
        stated = paths[f"/api/devices/{{id}}{path}"][method.lower()]["x-scope"]
        assert stated == SCOPES.get((method, path), Scope.CONTROL), (method, path)
    assert paths["/api/devices"]["post"]["x-scope"] == "settings"


async def test_every_event_of_a_number_says_which_it_is_about(client, system_db):
    made = await a_device(client)
    await client.post(f"/api/devices/{made['id']}/connect")
    await client.delete(f"/api/devices/{made['id']}")
    told = await outbox_of(system_db)
    assert len(told) >= 3
    assert {envelope.audience.device for envelope in told} == {inner(made)}


async def test_a_bad_name_or_id_is_refused_with_a_code(client):
    for body in ({}, {"name": ""}, {"name": "x" * 101}, {"name": "x", "more": 1}, {"name": 5}):
        refused = await client.post("/api/devices", json=body)
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid")
    assert (await client.get("/api/devices/dev_nothing")).status_code == 404
    assert (await client.get("/api/devices/cht_01JD3V6Q5J8R2Y0T4W7X9Z1B3C")).status_code == 404


async def test_connecting_a_new_device_starts_to_pair_and_twice_is_once(client):
    made = await a_device(client)
    first = (await client.post(f"/api/devices/{made['id']}/connect")).json()
    assert (first["state"], first["wanted"]) == ("pairing", "connected")
    assert (await client.post(f"/api/devices/{made['id']}/connect")).json() == first
    stopped = (await client.post(f"/api/devices/{made['id']}/disconnect")).json()
    assert (stopped["state"], stopped["wanted"], stopped["action"]) == ("new", "disconnected", "scan-again")
    assert (await client.post(f"/api/devices/{made['id']}/disconnect")).json() == stopped
    assert (await client.post(f"/api/devices/{made['id']}/logout")).json() == stopped


async def test_a_qr_is_shown_in_the_form_asked_for_or_refused_with_the_state(client, db, tenant):
    made = await a_device(client)
    path = f"/api/devices/{made['id']}/qr"
    refused = await client.get(path)
    assert (refused.status_code, refused.json()["code"], refused.json()["state"]) == (409, "qr-not-available", "new")
    await client.post(f"/api/devices/{made['id']}/connect")
    assert (await client.get(path)).json()["state"] == "pairing"
    async with db.transaction(tenant) as tx:
        await pairings.show_qr(tx, tenant, inner(made), "2@qr-text", datetime.now(UTC) + timedelta(seconds=20))
    text = await client.get(path, headers={"Accept": "text/plain"})
    assert (text.text, text.headers["cache-control"]) == ("2@qr-text", "no-store")
    assert (await client.get(path, headers={"Accept": "image/png"})).content.startswith(b"\x89PNG")
    assert b"<svg" in (await client.get(path, headers={"Accept": "image/svg+xml;q=1, text/plain;q=0.5"})).content
    shown = (await client.get(path)).json()
    assert shown["qr"] == "2@qr-text"
    assert 17 <= shown["seconds_left"] <= 20
    async with db.transaction(tenant) as tx:
        await pairings.show_qr(tx, tenant, inner(made), "old", datetime.now(UTC) - timedelta(seconds=1))
    assert (await client.get(path)).status_code == 409


async def test_a_pairing_code_is_given_when_the_worker_has_it(client, db, tenant):
    made = await a_device(client)
    asked = asyncio.create_task(client.post(f"/api/devices/{made['id']}/pairing-code", json={"phone": "+52 155-5000-0001"}))

    async def shown() -> bool:
        async with db.transaction(tenant) as tx:
            found = await pairings.find(tx, tenant, inner(made))
        return found is not None and found.phone == "5215550000001"

    await eventually(shown)
    async with db.transaction(tenant) as tx:
        until = datetime.now(UTC) + timedelta(seconds=60)
        await pairings.show_code(tx, tenant, inner(made), "5215550000001", "ABCD-EFGH", until, None)
    answer = await asked
    assert (answer.status_code, answer.json()["code"]) == (200, "ABCD-EFGH")
    assert (await client.post(f"/api/devices/{made['id']}/pairing-code", json={"phone": "call me"})).status_code == 422


async def test_a_linked_device_needs_no_pairing_code(client, db, tenant):
    made = await a_device(client)
    async with db.transaction(tenant) as tx:
        before = await devices.lock(tx, tenant, inner(made))
        await devices.save(tx, before, before.connect(datetime.now(UTC)).paired(datetime.now(UTC), "1:2@s.whatsapp.net", "1", None))
    refused = await client.post(f"/api/devices/{made['id']}/pairing-code", json={"phone": "5215550000001"})
    assert (refused.status_code, refused.json()["code"]) == (409, "already-connected")


async def test_a_service_that_does_not_know_a_device_gets_it_by_asking(client, db, bus, tenant):
    made = await a_device(client)
    subscription = await bus.answer(DEVICE, answer_device(db), queue="devices")
    found = await bus.ask(DEVICE, msgspec.json.encode(DeviceQuestion(tenant=tenant, device=inner(made))))
    assert msgspec.json.decode(found, type=DeviceChanged).name == "Sales"
    foreign = await bus.ask(DEVICE, msgspec.json.encode(DeviceQuestion(tenant=TenantId(ids.new()), device=inner(made))))
    assert foreign == b"null"
    await subscription.close()


async def test_an_order_is_queued_once_and_one_for_no_device_fails_at_once(client, db, system_db, tenant):
    made = await a_device(client)
    orders = [
        wrap(
            tenant,
            SendMessage(
                message=MessageId(ids.new()),
                device=device,
                to=Address("pn", "5215550000009"),
                kind="text",
                text="hello",
                expires_at=datetime.now(UTC) + timedelta(minutes=5),
            ),
        )
        for device in (inner(made), DeviceId(ids.new()))
    ]
    consumer = consumers.orders(db)
    await consumer.handle(orders)
    await consumer.handle(orders)
    async with system_db.system() as tx:
        rows = await (await raw(tx)).fetch("select id, status from sends")
    assert [(row["id"], row["status"]) for row in rows] == [(orders[0].data.message, "queued")]
    unsent = [envelope.data for envelope in await outbox_of(system_db) if isinstance(envelope.data, MessageUnsent)]
    assert {(body.message, body.outcome, body.reason) for body in unsent} == {(orders[1].data.message, "failed", "device-not-found")}


def test_no_migration_holds_a_lock_that_others_wait_for():
    assert lint(Path(__file__).parents[1] / "migrations") == []


async def test_the_documentation_has_every_route_once(client):
    paths = (await client.get("/openapi.json")).json()["paths"]
    assert set(paths) == {
        "/api/devices",
        "/api/devices/{id}",
        "/api/devices/{id}/connect",
        "/api/devices/{id}/disconnect",
        "/api/devices/{id}/logout",
        "/api/devices/{id}/qr",
        "/api/devices/{id}/pairing-code",
        "/api/devices/{id}/settings",
        "/api/devices/{id}/governor",
        "/api/devices/{id}/governor/pause",
        "/api/devices/{id}/governor/resume",
        "/api/devices/{id}/sends",
        "/api/devices/{id}/sends/{message}",
        "/api/devices/{id}/events",
    }
    shown = paths["/api/devices/{id}/qr"]["get"]["responses"]
    assert set(shown["200"]["content"]) == {"application/json", "text/plain", "image/png", "image/svg+xml"}
    assert "qr-not-available" in shown["409"]["content"]["application/problem+json"]["examples"]
