import asyncio
from typing import Any

import msgspec
from auth import limits
from contracts import buckets, ids
from contracts.envelope import wrap
from contracts.events.devices import DeviceDeleted, DeviceOrdered
from contracts.ids import TenantId
from contracts.principal import Access, Actor, Reach
from servicekit.bus import Bus, BusAway
from servicekit.db import Database
from servicekit.testing import eventually

from .conftest import Caller, an_owner, let_in, signed_in

ONE, TWO = (ids.public(ids.DEVICE, ids.new()) for _ in range(2))


async def seen(bus: Bus, user: dict[str, Any]) -> Access | None:
    entry = await (await bus.bucket(buckets.ACCESS)).get(str(ids.parse(ids.USER, user["id"])))
    return None if entry is None else msgspec.json.decode(entry.value, type=Access)


def access(devices: list[str] | None = None, teams: list[str] | None = None, chats: Reach = "all") -> Access:
    numbers = None if devices is None else frozenset(ids.parse(ids.DEVICE, device) for device in devices)
    return Access(devices=numbers, teams=frozenset(ids.parse(ids.TEAM, team) for team in teams or []), chats=chats)  # type: ignore[arg-type]


async def test_what_an_agent_sees_reaches_the_bus_and_leaves_it_when_it_is_all(call: Caller, bus: Bus) -> None:
    owner = await an_owner(call)
    beto = await let_in(owner, "beto@example.com", devices=[ONE])
    assert beto["devices"] == [ONE]
    await eventually(lambda: _is(bus, beto, access([ONE])))
    path = f"/api/users/{beto['id']}"
    changed = await owner("PATCH", path, {"devices": sorted([ONE, TWO])})
    assert changed.body["devices"] == sorted([ONE, TWO])
    await eventually(lambda: _is(bus, beto, access([ONE, TWO])))
    assert (await owner("PATCH", path, {"name": "Beto"})).body["devices"] == sorted([ONE, TWO])
    assert (await owner("PATCH", path, {"devices": []})).body["devices"] == []
    await eventually(lambda: _is(bus, beto, access([])))
    assert (await owner("PATCH", path, {"devices": None})).body["devices"] is None
    await eventually(lambda: _is(bus, beto, None))


async def _is(bus: Bus, user: dict[str, Any], wanted: Access | None) -> bool:
    return await seen(bus, user) == wanted


async def test_nobody_lets_others_see_more_than_themselves_nor_changes_what_they_see(call: Caller, bus: Bus) -> None:
    owner = await an_owner(call)
    beto = await let_in(owner, "beto@example.com", "admin", devices=[ONE])
    caro = await let_in(owner, "caro@example.com")
    await eventually(lambda: _is(bus, beto, access([ONE])))
    admin = await signed_in(call, "beto@example.com")
    for method, path, body in (
        ("PATCH", f"/api/users/{caro['id']}", {"devices": [TWO]}),
        ("PATCH", f"/api/users/{caro['id']}", {"devices": None}),
        ("POST", "/api/users", {"email": "dani@example.com", "name": "D"}),
        ("POST", "/api/keys", {"name": "D", "scopes": ["read"]}),
        ("POST", "/api/invitations", {"devices": [ONE, TWO]}),
    ):
        refused = await admin(method, path, body)
        assert (refused.status, refused.code) == (403, "sees-less"), path
    assert (await admin("PATCH", f"/api/users/{caro['id']}", {"devices": [ONE]})).body["devices"] == [ONE]
    refused = await admin("PATCH", f"/api/users/{beto['id']}", {"devices": [ONE]})
    assert (refused.status, refused.code) == (409, "own-standing")


async def test_teams_are_made_changed_and_dissolved_and_their_people_are_told(call: Caller, bus: Bus) -> None:
    owner = await an_owner(call)
    beto, caro = await let_in(owner, "beto@example.com"), await let_in(owner, "caro@example.com")
    team = await owner("POST", "/api/teams", {"name": " Ventas ", "members": [beto["id"]]})
    assert (team.status, team.body["name"], team.body["members"]) == (201, "Ventas", [beto["id"]])
    path, id = f"/api/teams/{team.body['id']}", team.body["id"]
    await eventually(lambda: _is(bus, beto, access(None, [id])))
    assert (await owner("PATCH", path, {"members": [caro["id"]]})).body["members"] == [caro["id"]]
    await eventually(lambda: _is(bus, beto, None))
    await eventually(lambda: _is(bus, caro, access(None, [id])))
    assert (await owner("PATCH", f"/api/users/{beto['id']}", {"teams": [id]})).body["teams"] == [id]
    agent = await signed_in(call, "beto@example.com")
    assert (await agent("GET", path)).body["members"] == sorted([beto["id"], caro["id"]])
    taken = await owner("POST", "/api/teams", {"name": "Ventas"})
    assert (taken.status, taken.code) == (409, "team-name-taken")
    other = (await owner("POST", "/api/teams", {"name": "Soporte"})).body
    taken = await owner("PATCH", f"/api/teams/{other['id']}", {"name": "Ventas"})
    assert (taken.status, taken.code) == (409, "team-name-taken")
    assert [item["name"] for item in (await agent("GET", "/api/teams")).body["items"]] == ["Ventas", "Soporte"]
    assert (await agent("POST", "/api/teams", {"name": "Mine"})).status == 403
    assert (await owner("DELETE", path)).status == 204
    await eventually(lambda: _is(bus, caro, None))
    assert (await owner("GET", f"/api/users/{caro['id']}")).body["teams"] == []


async def test_another_accounts_teams_and_people_are_never_mixed_in(call: Caller) -> None:
    ana, eva = await an_owner(call), await an_owner(call, "eva@example.com")
    beto = await let_in(ana, "beto@example.com")
    team = (await ana("POST", "/api/teams", {"name": "Ventas"})).body
    for method, path, body, code in (
        ("GET", f"/api/teams/{team['id']}", None, "team-not-found"),
        ("PATCH", f"/api/teams/{team['id']}", {"name": "Mine"}, "team-not-found"),
        ("DELETE", f"/api/teams/{team['id']}", None, "team-not-found"),
        ("POST", "/api/teams", {"name": "Ventas", "members": [beto["id"]]}, "user-not-found"),
        ("POST", "/api/users", {"email": "d@example.com", "name": "D", "teams": [team["id"]]}, "team-not-found"),
        ("POST", "/api/invitations", {"teams": [team["id"]]}, "team-not-found"),
        ("PATCH", f"/api/users/{beto['id']}", {"devices": []}, "user-not-found"),
    ):
        refused = await eva(method, path, body)
        assert (refused.status, refused.code) == (404, code), path
    assert (await eva("GET", "/api/teams")).body["items"] == []


async def test_a_bus_that_was_away_learns_it_later_and_one_that_lost_it_again(call: Caller, nats: Any, bus: Bus, system: Database) -> None:
    owner = await an_owner(call)
    beto = await let_in(owner, "beto@example.com")
    nats.kill()
    assert (await owner("PATCH", f"/api/users/{beto['id']}", {"devices": [ONE]})).status == 200
    nats.start()

    async def told() -> bool:
        try:
            return await seen(bus, beto) == access([ONE])
        except BusAway as error:
            raise AssertionError("The bus is not back yet.") from error

    await eventually(told)
    bucket = await bus.bucket(buckets.ACCESS)
    id = str(ids.parse(ids.USER, beto["id"]))
    await bucket.delete(id)
    await asyncio.gather(*(limits.restore(bucket, system) for _ in range(3)))
    assert await seen(bus, beto) == access([ONE])
    await bucket.put(id, b"nonsense")
    await limits.restore(bucket, system)
    assert await seen(bus, beto) == access([ONE])


async def test_which_chats_an_agent_sees_is_set_apart_from_its_numbers_and_reaches_the_bus(call: Caller, bus: Bus) -> None:
    owner = await an_owner(call)
    team = (await owner("POST", "/api/teams", {"name": "Ventas"})).body["id"]
    beto = await let_in(owner, "beto@example.com", chats="team", teams=[team])
    assert (beto["chats"], beto["teams"], beto["devices"]) == ("team", [team], None)
    await eventually(lambda: _is(bus, beto, access(None, [team], "team")))
    path = f"/api/users/{beto['id']}"
    assert (await owner("PATCH", path, {"devices": [ONE]})).body["chats"] == "team"
    changed = (await owner("PATCH", path, {"chats": "own"})).body
    assert (changed["chats"], changed["devices"]) == ("own", [ONE])
    await eventually(lambda: _is(bus, beto, access([ONE], [team], "own")))
    await owner("PATCH", path, {"chats": "all", "devices": None, "teams": []})
    await eventually(lambda: _is(bus, beto, None))
    assert (await owner("PATCH", path, {"chats": "some"})).status == 422


async def test_an_invitation_says_which_chats_its_guest_will_see(call: Caller, bus: Bus) -> None:
    owner = await an_owner(call)
    team = (await owner("POST", "/api/teams", {"name": "Ventas"})).body["id"]
    invited = (await owner("POST", "/api/invitations", {"chats": "team", "teams": [team]})).body
    assert invited["chats"] == "team"
    guest = await call.register("beto@example.com", invitation=invited["url"].partition("code=")[2])
    assert guest.body["user"]["chats"] == "team"
    await eventually(lambda: _is(bus, guest.body["user"], access(None, [team], "team")))


async def test_who_sees_the_chats_of_a_team_lets_nobody_see_more_and_takes_nobodys_place(call: Caller, bus: Bus) -> None:
    owner = await an_owner(call)
    mine, other = [(await owner("POST", "/api/teams", {"name": name})).body["id"] for name in ("Ventas", "Soporte")]
    beto = await let_in(owner, "beto@example.com", "admin", chats="team", teams=[mine])
    caro = await let_in(owner, "caro@example.com")
    await eventually(lambda: _is(bus, beto, access(None, [mine], "team")))
    admin = await signed_in(call, "beto@example.com")
    for method, path, body in (
        ("PATCH", f"/api/users/{caro['id']}", {"chats": "all"}),
        ("PATCH", f"/api/users/{caro['id']}", {"password": "another horse battery"}),
        ("PATCH", f"/api/users/{caro['id']}", {"teams": [other]}),
        ("PATCH", f"/api/users/{beto['id']}", {"teams": [mine, other]}),
        ("PATCH", f"/api/teams/{other}", {"members": [beto["id"]]}),
        ("POST", "/api/users", {"email": "dani@example.com", "name": "D"}),
        ("POST", "/api/users", {"email": "dani@example.com", "name": "D", "chats": "team", "teams": [other]}),
        ("POST", "/api/keys", {"name": "D", "scopes": ["read"]}),
        ("POST", "/api/invitations", {"chats": "all"}),
    ):
        refused = await admin(method, path, body)
        assert (refused.status, refused.code) == (403, "sees-less"), (path, body)
    refused = await admin("PATCH", f"/api/users/{beto['id']}", {"chats": "own"})
    assert (refused.status, refused.code) == (409, "own-standing")
    changed = await admin("PATCH", f"/api/users/{caro['id']}", {"chats": "team", "teams": [mine]})
    assert (changed.status, changed.body["chats"], changed.body["teams"]) == (200, "team", [mine])
    assert (await admin("PATCH", f"/api/users/{caro['id']}", {"password": "another horse battery"})).status == 200


def added(owner_of: str, number: str, user: dict[str, Any]) -> Any:
    actor = Actor(id=ids.parse(ids.USER, user["id"]))
    return wrap(TenantId(ids.parse(ids.ACCOUNT, owner_of)), DeviceOrdered(id=number, name="Ventas", order="add", actor=actor))


async def test_who_sees_some_numbers_sees_one_that_they_add_until_it_is_deleted(call: Caller, bus: Bus) -> None:
    owner = await an_owner(call)
    beto, caro = [await let_in(owner, f"{name}@example.com", "admin", devices=[ONE]) for name in ("beto", "caro")]
    account = beto["account_id"]
    await bus.publish(added(account, TWO, beto))
    await eventually(lambda: _is(bus, beto, access([ONE, TWO])))
    assert (await owner("GET", f"/api/users/{caro['id']}")).body["devices"] == [ONE]
    await bus.publish(added(account, TWO, beto), added(account, ONE, (await owner("GET", "/api/auth/me")).body["user"]))
    await bus.publish(wrap(TenantId(ids.parse(ids.ACCOUNT, account)), DeviceDeleted(id=ONE)))
    await eventually(lambda: _is(bus, beto, access([TWO])))
    await eventually(lambda: _is(bus, caro, access([])))
    assert (await owner("GET", "/api/auth/me")).body["user"]["devices"] is None
