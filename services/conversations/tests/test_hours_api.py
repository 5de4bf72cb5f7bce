"""Service hours as they are set, and told to who keeps them."""

import pytest
from contracts import hours, ids
from contracts.envelope import wrap
from contracts.events.auth import AccountRegistered
from contracts.events.conversations import HoursChanged
from contracts.principal import Role
from conversations.consumers import accounts

from .facts import a_device

WEEK = [{"day": day, "opens": "09:00", "closes": "18:00"} for day in range(5)]
CHRISTMAS = {"date": "2026-12-25", "name": "Navidad", "spans": []}


@pytest.fixture
async def owner(team):
    return await team.hire("Olga", Role.OWNER)


def post(client, someone, **body):
    return client.post("/api/hours", json={"name": "Oficina", "weekly": WEEK} | body, headers=someone.headers)


async def test_hours_are_set_told_as_a_whole_and_deleted(client, world, tenant, device, team, owner):
    await world.handle([a_device(tenant, device)])
    registered = AccountRegistered(name="Sol", locale="es", time_zone="America/Bogota", currency="COP")
    await accounts.handler(world.db)([wrap(tenant, registered)])
    sales = await team.found()
    number, queue = ids.public(ids.DEVICE, device), ids.public(ids.TEAM, sales)
    office = (await post(client, owner, devices=[number], holidays=[CHRISTMAS])).json()
    night = (await post(client, owner, name="Noche", time_zone="Europe/Madrid", teams=[queue])).json()
    listed = (await client.get("/api/hours", headers=owner.headers)).json()["items"]
    assert [(one["name"], one["devices"], one["teams"]) for one in listed] == [("Noche", [], [queue]), ("Oficina", [number], [])]
    assert listed[1]["next_opening"]
    told = [one.data for one in await world.told(HoursChanged)]
    assert [(len(one.sets), one.revision) for one in told] == [(1, 1), (2, 2)]
    kept = hours.covering(told[1].sets, device=device)
    assert (kept.time_zone, kept.holidays[0].name, len(kept.weekly)) == ("America/Bogota", "Navidad", 5)
    moved = AccountRegistered(name="Sol", locale="es", time_zone="America/Bogota", currency="COP")
    await accounts.handler(world.db)([wrap(tenant, moved)])
    replaced = {"name": "Oficina", "weekly": WEEK[:1], "everywhere": True}
    path = f"/api/hours/{office['id']}"
    assert (await client.put(path, json=replaced, headers=owner.headers)).json()["everywhere"]
    assert (await client.delete(f"/api/hours/{night['id']}", headers=owner.headers)).status_code == 204
    last = (await world.told(HoursChanged))[-1].data
    assert [(one.everywhere, len(one.hours.weekly)) for one in last.sets] == [(True, 1)]
    gone = f"/api/hours/{night['id']}"
    for answer in (await client.delete(gone, headers=owner.headers), await client.put(gone, json=replaced, headers=owner.headers)):
        assert (answer.status_code, answer.json()["code"]) == (404, "hours-not-found")


async def test_two_sets_of_hours_do_not_hold_in_one_place(client, world, tenant, device, owner):
    await world.handle([a_device(tenant, device)])
    number = ids.public(ids.DEVICE, device)
    first = (await post(client, owner, devices=[number], everywhere=True)).json()
    for body in ({"devices": [number]}, {"everywhere": True}):
        refused = await post(client, owner, **body)
        assert (refused.status_code, refused.json()["code"]) == (409, "hours-overlap")
    same = {"name": "Oficina", "weekly": [], "devices": [number]}
    assert (await client.put(f"/api/hours/{first['id']}", json=same, headers=owner.headers)).status_code == 200


async def test_hours_that_cannot_be_are_refused(client, world, owner):
    for body in (
        {"weekly": [{"day": 7, "opens": "09:00", "closes": "18:00"}]},
        {"weekly": [{"day": 0, "opens": "9", "closes": "18:00"}]},
        {"weekly": [{"day": 0, "opens": "24:00", "closes": "18:00"}]},
        {"time_zone": "Mars/Olympus"},
        {"time_zone": "../../etc/passwd"},
        {"holidays": [{"date": "2026-02-30"}]},
        {"name": ""},
    ):
        assert (await post(client, owner, **body)).status_code == 422, body
    assert await world.told() == []


async def test_hours_are_for_admins_and_about_what_is_there(client, team, owner):
    ann = await team.hire("Ann")
    assert (await post(client, ann)).status_code == 403
    assert (await client.get("/api/hours", headers=ann.headers)).status_code == 200
    for body, code in (
        ({"devices": [ids.public(ids.DEVICE, ids.new())]}, "device-not-found"),
        ({"teams": [ids.public(ids.TEAM, ids.new())]}, "team-not-found"),
    ):
        refused = await post(client, owner, **body)
        assert (refused.status_code, refused.json()["code"]) == (404, code)
