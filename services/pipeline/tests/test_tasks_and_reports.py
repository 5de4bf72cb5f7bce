"""Tasks with their reminders, and figures."""

from contracts import ids
from contracts.events.pipeline import TaskChanged, TaskDeleted, TaskDue
from pipeline import timers
from servicekit.db import Database

from .facts import a_user, new_user, public, soon


async def test_a_task_is_made_done_and_deleted(owner, agent, world, tenant):
    lead = await owner.lead()
    due = "2026-12-01T15:00:00Z"
    task = await owner.ask("POST", "/api/tasks", {"lead_id": lead["id"], "title": "Llamar", "due_at": due, "remind_at": due}, status=201)
    assert (task["title"], task["due_at"], task["done_at"]) == ("Llamar", due, None)
    card = await owner.get(f"/api/leads/{lead['id']}")
    assert (card["open_tasks"], card["next_task_at"]) == (1, due)
    done = await agent.ask("PATCH", f"/api/tasks/{task['id']}", {"done": True})
    assert done["done_at"]
    assert (await owner.get(f"/api/leads/{lead['id']}"))["open_tasks"] == 0
    again = await agent.ask("PATCH", f"/api/tasks/{task['id']}", {"done": False, "title": "Escribir", "due_at": None})
    assert (again["done_at"], again["title"], again["due_at"]) == (None, "Escribir", None)
    await owner.ask("DELETE", f"/api/tasks/{task['id']}", status=204)
    await owner.refused("PATCH", f"/api/tasks/{task['id']}", {"done": True}, 404, "task-not-found")
    assert len(await world.told(TaskChanged)) == 3
    assert len(await world.told(TaskDeleted)) == 1


async def test_tasks_are_listed_by_when_they_are_due(owner, agent, stranger, world, tenant):
    user = new_user()
    await world.handle([a_user(tenant, user)])
    lead = await owner.lead()
    for title, due, assignee in (("luego", "2027-01-01T00:00:00Z", None), ("algún día", None, user), ("ya", "2026-01-01T00:00:00Z", None)):
        body = {"lead_id": lead["id"], "title": title, "due_at": due, "assignee_id": assignee and public(ids.USER, assignee)}
        await owner.ask("POST", "/api/tasks", body, status=201)
    titles, cursor = [], None
    while True:
        page = await owner.get("/api/tasks", limit=1, **({"cursor": cursor} if cursor else {}))
        titles += [task["title"] for task in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert titles == ["ya", "luego", "algún día"]
    assert [task["title"] for task in (await owner.get("/api/tasks", mine=True))["items"]] == ["ya", "luego"]
    assert [task["title"] for task in (await owner.get("/api/tasks", due_before="2026-06-01T00:00:00Z"))["items"]] == ["ya"]
    assert (await stranger.get("/api/tasks"))["items"] == []
    await stranger.refused("POST", "/api/tasks", {"lead_id": lead["id"], "title": "x"}, 404, "lead-not-found")
    await owner.refused(
        "POST", "/api/tasks", {"lead_id": lead["id"], "title": "x", "assignee_id": public(ids.USER, ids.new())}, 404, "user-not-found"
    )


async def test_a_reminder_is_told_once_when_its_hour_has_come(owner, world, tenant):
    lead = await owner.lead("Mesas")
    past, future = soon(-60).isoformat(), soon(3600).isoformat()
    due = await owner.ask("POST", "/api/tasks", {"lead_id": lead["id"], "title": "ya", "remind_at": past}, status=201)
    done = await owner.ask("POST", "/api/tasks", {"lead_id": lead["id"], "title": "hecha", "remind_at": past}, status=201)
    await owner.ask("PATCH", f"/api/tasks/{done['id']}", {"done": True})
    await owner.ask("POST", "/api/tasks", {"lead_id": lead["id"], "title": "luego", "remind_at": future}, status=201)
    async with Database.open(world.urls.system_url, application="remind", pool=2) as system:
        assert [await timers.reminded(system), await timers.reminded(system)] == [1, 0]
        [told] = await world.told(TaskDue)
        assert (told.data.id, told.data.lead_title, told.tenant) == (due["id"], "Mesas", tenant)
        await owner.ask("PATCH", f"/api/tasks/{due['id']}", {"remind_at": soon(-30).isoformat()})
        assert await timers.reminded(system) == 1


async def test_reports_tell_how_far_leads_come_and_what_they_are_worth(owner, agent, world, tenant):
    await world.handle([a_user(tenant, owner.caller.principal.id, "=Ana"), a_user(tenant, agent.caller.principal.id, "Beto")])
    stages = await owner.stages()
    path = f"/api/pipelines/{(await owner.get('/api/pipelines'))['items'][0]['id']}/reports"
    leads = [await (agent if n == 3 else owner).lead(f"l{n}", value=1000, currency="MXN") for n in range(4)]
    await owner.move(leads[0], stages[1])
    one = await owner.move(leads[1], stages[2])
    await owner.move(one, stages[4])
    await owner.move(leads[2], stages[5], lost_reason="=1+1")
    await agent.move(leads[3], stages[5], lost_reason="precio")
    await owner.lead("abierto", value=999, currency="MXN", expected_close="2026-12-15", stage_id=stages[1])
    conversion = (await owner.get(f"{path}/conversion"))["items"]
    assert [(row["reached"], row["leads"]) for row in conversion] == [(5, 5), (3, 5), (1, 5), (1, 5), (1, 5), (2, 5)]
    assert conversion[1]["share"] == 0.6
    time = (await owner.get(f"{path}/time"))["items"]
    assert [(row["visits"], row["still_there"]) for row in time] == [(4, 0), (2, 2), (1, 0), (0, 0), (1, 1), (2, 2)]
    assert (await owner.get(f"{path}/forecast"))["items"] == [
        {"month": "2026-12", "currency": "MXN", "leads": 1, "value": 999, "weighted": 250},
        {"month": None, "currency": "MXN", "leads": 1, "value": 1000, "weighted": 250},
    ]
    reasons = (await owner.get(f"{path}/outcomes"))["items"]
    assert [(row["name"], row["won"], row["lost"], row["won_value"], row["lost_value"]) for row in reasons] == [
        ("-", 1, 0, 1000, 0), ("=1+1", 0, 1, 0, 1000), ("precio", 0, 1, 0, 1000),
    ]  # fmt: skip
    people = (await owner.get(f"{path}/outcomes", by="owner"))["items"]
    assert [(row["name"], row["won"], row["lost"]) for row in people] == [("=Ana", 1, 1), ("Beto", 0, 1)]
    sheet = await owner.get(f"{path}/outcomes", by="owner", format="csv")
    assert sheet.splitlines()[0] == "\ufeffname,owner_id,currency,won,lost,won_value,lost_value"
    assert sheet.splitlines()[1].startswith("'=Ana,usr_")
    assert "'=1+1,," in await owner.get(f"{path}/outcomes", format="csv")
    assert (await owner.get(f"{path}/conversion", until="2026-01-01T00:00:00Z"))["items"][0]["leads"] == 0
    await agent.refused("GET", f"{path}/forecast", None, 403, "forbidden")
