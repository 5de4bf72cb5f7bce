"""Leads over HTTP on a real database: entering, changing, moving, refusing."""

import asyncio

from contracts import ids
from contracts.events.pipeline import LeadChanged, LeadCreated, LeadDeleted, LeadMoved
from contracts.ids import DeviceId
from contracts.principal import Role, Scope
from servicekit.testing import eventually

from .conftest import Api
from .facts import a_contact, a_message, a_user, an_account, new_chat, new_contact, new_user, public


async def test_a_title_alone_is_a_lead(owner, world, tenant):
    await world.handle([an_account(tenant)])
    lead = await owner.lead("Mesas para el patio")
    assert lead["id"].startswith("led_")
    assert (lead["title"], lead["value"], lead["currency"], lead["status"], lead["version"]) == ("Mesas para el patio", 0, "MXN", "open", 1)
    assert lead["owner_id"] == public(ids.USER, owner.caller.principal.id)
    assert (await owner.get(f"/api/leads/{lead['id']}")) == lead
    assert (await owner.get("/api/leads"))["items"] == [lead]
    [told] = await world.told(LeadCreated)
    assert (told.data.id, told.data.way) == (lead["id"], "manual")


async def test_the_first_pipeline_speaks_the_accounts_language_also_when_the_account_is_heard_of_later(owner, world, tenant):
    board = await owner.get("/api/pipeline")
    assert [column["name"] for column in board["items"]] == ["Nuevo", "Contactado", "Propuesta", "Negociación", "Ganado", "Perdido"]
    assert board["pipeline"]["currency"] == "USD"
    await world.handle([an_account(tenant, locale="pt", currency="BRL")])
    board = await owner.get("/api/pipeline")
    assert [column["name"] for column in board["items"]][:2] == ["Novo", "Contatado"]
    assert (board["pipeline"]["name"], board["pipeline"]["currency"]) == ("Vendas", "BRL")


async def test_defaults_are_made_once_by_whoever_comes_first(owner, agent):
    boards = await asyncio.gather(*(one.get("/api/pipelines") for one in (owner, agent) * 4))
    assert len({board["items"][0]["id"] for board in boards}) == 1
    assert all(len(board["items"]) == 1 and len(board["items"][0]["stages"]) == 6 for board in boards)


async def test_a_first_pipeline_speaks_the_accounts_language_whoever_is_first(client, signed_in, world):
    for _ in range(6):
        someone = Api(client, signed_in(Role.OWNER))
        await asyncio.gather(world.handle([an_account(someone.caller.principal.tenant, locale="pt")]), someone.get("/api/pipelines"))
        assert (await someone.get("/api/pipelines"))["items"][0]["name"] == "Vendas"


async def test_a_lead_is_changed_with_a_line_for_each_change(owner, world):
    lead = await owner.lead()
    changed = await owner.ask("PUT", f"/api/leads/{lead['id']}", {"title": "Sillas", "value": 125_000, "currency": "brl"})
    assert (changed["title"], changed["value"], changed["currency"], changed["version"]) == ("Sillas", 125_000, "BRL", 2)
    same = await owner.ask("PUT", f"/api/leads/{lead['id']}", {"title": "Sillas"})
    assert same["version"] == 2
    moved = await owner.ask("PUT", f"/api/leads/{lead['id']}", {"stage_id": (await owner.stages())[-1], "lost_reason": "precio"})
    assert (moved["status"], moved["lost_reason"], moved["version"]) == ("lost", "precio", 3)
    assert moved["closed_at"]
    back = await owner.ask("PATCH", f"/api/pipeline/{lead['id']}", {"stage_id": (await owner.stages())[0]})
    assert (back["status"], back["lost_reason"], back["closed_at"]) == ("open", None, None)
    lines = (await owner.get(f"/api/leads/{lead['id']}/history"))["items"]
    assert [line["what"] for line in lines] == ["moved", "moved", "changed", "created"]
    assert lines[2]["changes"]["title"] == ["Mesas", "Sillas"]
    assert lines[1]["changes"]["stage"] == [(await owner.stages())[0], (await owner.stages())[-1]]
    assert lines[0]["actor_id"] == public(ids.USER, owner.caller.principal.id)
    assert len(await world.told(LeadMoved)) == 2
    [told] = await world.told(LeadChanged)
    assert told.data.changed == ("currency", "title", "value")


async def test_the_seeds_paths_lead_to_the_same_leads(owner):
    lead = await owner.ask("POST", "/api/pipeline", {"title": "Por el embudo", "value": 500}, status=201)
    changed = await owner.ask("PATCH", "/api/pipeline", {"id": lead["id"], "stage_id": (await owner.stages())[1]})
    assert changed["stage_id"] == (await owner.stages())[1]
    assert await owner.columns() == [[], ["Por el embudo"], [], [], [], []]
    stage = await owner.ask("PATCH", "/api/pipeline", {"id": (await owner.stages())[1], "name": "Hablado", "rotting_days": None})
    assert (stage["name"], stage["rotting_days"]) == ("Hablado", None)
    pipeline = await owner.ask("POST", "/api/pipeline", {"name": "Posventa"}, status=201)
    renamed = await owner.ask("PATCH", "/api/pipeline", {"id": pipeline["id"], "name": "Soporte", "default": True})
    assert renamed["default"] is True
    assert [one["default"] for one in (await owner.get("/api/pipelines"))["items"]] == [False, True]


async def test_an_agent_moves_leads_and_leaves_the_pipelines_alone(agent, owner):
    lead = await agent.lead()
    stages = await agent.stages()
    await agent.move(lead, stages[1])
    await agent.refused("POST", "/api/pipeline", {"name": "Mía"}, 403, "admin-only")
    await agent.refused("PATCH", "/api/pipeline", {"id": stages[0], "name": "Mía"}, 403, "admin-only")
    await agent.refused("POST", "/api/pipelines", {"name": "Mía"}, 403, "forbidden")
    pipeline = (await owner.get("/api/pipelines"))["items"][0]["id"]
    await agent.refused("DELETE", f"/api/pipelines/{pipeline}/stages/{stages[0]}", None, 403, "forbidden")


async def test_the_same_lead_sent_twice_with_one_key_is_one(owner):
    first = await owner.ask("POST", "/api/leads", {"title": "Una vez"}, status=201, key="k1")
    again = await owner.ask("POST", "/api/leads", {"title": "Una vez"}, status=201, key="k1")
    assert first == again
    assert len((await owner.get("/api/leads"))["items"]) == 1


async def test_cards_stand_where_they_were_put(owner):
    one, two, three = [await owner.lead(title) for title in ("uno", "dos", "tres")]
    assert (await owner.columns())[0] == ["tres", "dos", "uno"]
    stage = one["stage_id"]
    one = await owner.move(one, stage)
    assert (await owner.columns())[0] == ["uno", "tres", "dos"]
    one = await owner.move(one, stage, after_id=two["id"])
    assert (await owner.columns())[0] == ["tres", "dos", "uno"]
    one = await owner.move(one, stage, before_id=two["id"])
    assert (await owner.columns())[0] == ["tres", "uno", "dos"]
    one = await owner.move(one, stage, after_id=one["id"])
    assert (await owner.columns())[0] == ["uno", "tres", "dos"]
    other = (await owner.stages())[2]
    three = await owner.move(three, other, after_id=two["id"])
    assert (await owner.columns())[:3] == [["uno", "dos"], [], ["tres"]]


async def test_the_second_of_two_moves_hears_how_the_card_is_now(owner, agent, world):
    lead = await owner.lead()
    stages = await owner.stages()
    moved = await owner.move(lead, stages[1])
    problem = await agent.move(lead, stages[2], status=409)
    assert problem["code"] == "lead-moved-on"
    assert problem["lead"]["stage_id"] == stages[1]
    assert problem["lead"]["version"] == moved["version"]
    assert len(await world.told(LeadMoved)) == 1
    await agent.refused("PUT", f"/api/leads/{lead['id']}", {"title": "Tarde", "version": 1}, 409, "lead-moved-on")


async def test_of_many_who_drag_one_card_at_once_one_wins(owner):
    lead = await owner.lead()
    stages = await owner.stages()

    async def drag(n: int) -> int:
        body = {"stage_id": stages[1 + n % 5], "version": 1}
        return (await owner.http.post(f"/api/leads/{lead['id']}/move", json=body, headers=owner.caller.headers)).status_code

    statuses = await asyncio.gather(*(drag(n) for n in range(8)))
    assert sorted(statuses) == [200, *[409] * 7]


async def test_a_lead_goes_to_a_stage_of_another_pipeline_and_is_counted_there(owner):
    lead = await owner.lead(value=500)
    other = await owner.ask("POST", "/api/pipelines", {"name": "Posventa"}, status=201)
    here, there = lead["pipeline_id"], other["stages"][1]["id"]
    moved = await owner.ask("POST", f"/api/leads/{lead['id']}/move", {"version": 1, "stage_id": there})
    assert (moved["pipeline_id"], moved["stage_id"], moved["version"]) == (other["id"], there, 2)

    async def counted(pipeline: str) -> list[int]:
        return [stage["count"] for stage in (await owner.get("/api/pipeline", pipeline_id=pipeline))["items"]]

    assert sum(await counted(here)) == 0
    assert await counted(other["id"]) == [0, 1, *[0] * (len(other["stages"]) - 2)]
    back = await owner.ask("PUT", f"/api/leads/{lead['id']}", {"stage_id": lead["stage_id"]})
    assert back["pipeline_id"] == here
    assert sum(await counted(other["id"])) == 0
    visits = [line["what"] for line in (await owner.get(f"/api/leads/{lead['id']}/history"))["items"]]
    assert visits.count("moved") == 2


async def test_a_move_to_a_stage_of_another_tenant_is_refused(owner, stranger):
    lead = await owner.lead()
    other = await owner.ask("POST", "/api/pipelines", {"name": "Posventa"}, status=201)
    body = {"version": 1, "stage_id": other["stages"][0]["id"]}
    foreign = (await stranger.stages())[0]
    await owner.refused("POST", f"/api/leads/{lead['id']}/move", body | {"stage_id": foreign}, 404, "stage-not-found")
    await owner.refused("POST", "/api/leads", {"title": "x", "stage_id": foreign}, 404, "stage-not-found")
    mismatch = {"title": "x", "stage_id": body["stage_id"], "pipeline_id": lead["pipeline_id"]}
    await owner.refused("POST", "/api/leads", mismatch, 422, "stage-of-another-pipeline")
    await stranger.refused("POST", f"/api/leads/{lead['id']}/move", {"version": 1, "stage_id": foreign}, 404, "lead-not-found")
    assert (await owner.get(f"/api/leads/{lead['id']}"))["version"] == 1


WRONG = [
    ({"value": 10**20}, "invalid"),
    ({"value": -1}, "invalid"),
    ({"value": 12.5}, "invalid"),
    ({"value": "12"}, "invalid"),
    ({"value": 9_999_999_999_999 + 1}, "invalid"),
    ({"currency": "XXQ"}, "currency-unknown"),
    ({"currency": "XAU"}, "currency-unknown"),
    ({"currency": "PESOS"}, "invalid"),
    ({"title": "  "}, "invalid"),
    ({"title": "x" * 201}, "invalid"),
    ({"title": "a\0b"}, "invalid"),
    ({"expected_close": "mañana"}, "invalid"),
    ({"tags": ["tag_x"]}, "invalid"),
    ({"stolen": True}, "invalid"),
]


async def test_what_is_no_lead_is_refused_and_nothing_is_kept(owner, world):
    lead = await owner.lead()
    await world.forget_told()
    for fields, code in WRONG:
        await owner.refused("POST", "/api/leads", {"title": "Mesas"} | fields, 422, code)
        await owner.refused("PUT", f"/api/leads/{lead['id']}", fields, 422, code)
    assert await world.told() == []
    assert (await owner.get(f"/api/leads/{lead['id']}")) == lead


async def test_what_a_lead_names_must_be_here(owner):
    for field, prefix, code in (
        ("contact_id", ids.CONTACT, "contact-not-found"),
        ("chat_id", ids.CHAT, "chat-not-found"),
        ("owner_id", ids.USER, "user-not-found"),
        ("pipeline_id", ids.PIPELINE, "pipeline-not-found"),
    ):
        await owner.refused("POST", "/api/leads", {"title": "x", field: public(prefix, ids.new())}, 404, code)


async def test_a_deleted_lead_is_gone_with_all_that_hung_on_it(owner, world):
    lead = await owner.lead(value=100)
    await owner.ask("POST", f"/api/leads/{lead['id']}/notes", {"text": "Llamar"}, status=201)
    await owner.ask("POST", "/api/tasks", {"lead_id": lead["id"], "title": "Llamar"}, status=201)
    await owner.ask("DELETE", f"/api/leads/{lead['id']}", status=204)
    await owner.refused("GET", f"/api/leads/{lead['id']}", None, 404, "lead-not-found")
    await owner.refused("DELETE", f"/api/leads/{lead['id']}", None, 404, "lead-not-found")
    for table in ("leads", "lead_notes", "lead_history", "stage_visits", "tasks"):
        assert await world.rows(f"select * from {table}") == [], table  # noqa: S608
    assert [row["leads"] for row in await world.rows("select * from stage_totals")] == [0]
    assert [told.data.id for told in await world.told(LeadDeleted)] == [lead["id"]]


async def test_notes_stand_beside_a_lead(owner, agent):
    lead = await owner.lead()
    for text in ("uno", "dos", "tres"):
        await agent.ask("POST", f"/api/leads/{lead['id']}/notes", {"text": text}, status=201)
    page = await owner.get(f"/api/leads/{lead['id']}/notes", limit=2)
    assert [note["text"] for note in page["items"]] == ["tres", "dos"]
    rest = await owner.get(f"/api/leads/{lead['id']}/notes", limit=2, cursor=page["next_cursor"])
    assert [note["text"] for note in rest["items"]] == ["uno"]
    assert rest["items"][0]["author_id"] == public(ids.USER, agent.caller.principal.id)
    await owner.ask("DELETE", f"/api/leads/{lead['id']}/notes/{rest['items'][0]['id']}", status=204)
    await owner.refused("DELETE", f"/api/leads/{lead['id']}/notes/{rest['items'][0]['id']}", None, 404, "note-not-found")


async def test_a_card_shows_its_chat_and_a_chat_its_card(owner, world, tenant, device):
    chat, contact = new_chat(), new_contact()
    await world.handle([a_contact(tenant, contact), a_message(tenant, device, chat, "¿Hay mesas?", contact=contact)])
    lead = await owner.lead(chat_id=public(ids.CHAT, chat))
    assert lead["contact"] == {"id": public(ids.CONTACT, contact), "name": "Luis", "phone": "5215550001111"}
    assert (lead["chat"]["unread"], lead["chat"]["last_message"]["text"]) == (1, "¿Hay mesas?")
    assert (lead["device_id"], lead["chat_ids"]) == (public(ids.DEVICE, device), [public(ids.CHAT, chat)])
    await world.handle([a_message(tenant, device, chat, "¿Y sillas?", contact=contact)])
    [card] = (await owner.get("/api/leads", chat_id=public(ids.CHAT, chat)))["items"]
    assert (card["id"], card["chat"]["unread"], card["chat"]["last_message"]["text"]) == (lead["id"], 2, "¿Y sillas?")
    bare = await owner.ask("PUT", f"/api/leads/{lead['id']}", {"chat_ids": []})
    assert (bare["chat"], bare["device_id"], bare["contact"]["name"]) == (None, None, "Luis")
    assert (await owner.get("/api/leads", chat_id=public(ids.CHAT, chat)))["items"] == []


async def test_who_sees_some_numbers_sees_their_leads_and_his_own(owner, agent, world, tenant, device, limited):
    unseen = DeviceId(ids.new())
    chats = {device: new_chat(), unseen: new_chat()}
    await world.handle([a_message(tenant, number, chat) for number, chat in chats.items()])
    for number, chat in chats.items():
        await owner.lead("visto" if number == device else "ajeno", chat_id=public(ids.CHAT, chat), value=100)
    await owner.lead("sin número", value=100)
    await limited(agent.caller, device)

    async def narrowed():
        return (await agent.columns())[0] == ["visto"]

    await eventually(narrowed)
    await agent.lead("propio", value=7)
    board = await agent.get("/api/pipeline")
    assert [card["title"] for card in board["items"][0]["leads"]["items"]] == ["propio", "visto"]
    assert (board["items"][0]["count"], board["items"][0]["totals"][0]["value"]) == (2, 107)
    assert [card["title"] for card in (await agent.get("/api/leads"))["items"]] == ["propio", "visto"]
    [hidden] = (await owner.get("/api/leads", q="ajeno"))["items"]
    for method, path, body in (
        ("GET", f"/api/leads/{hidden['id']}", None),
        ("PUT", f"/api/leads/{hidden['id']}", {"title": "x"}),
        ("DELETE", f"/api/leads/{hidden['id']}", None),
        ("GET", f"/api/leads/{hidden['id']}/history", None),
        ("POST", f"/api/leads/{hidden['id']}/notes", {"text": "x"}),
        ("POST", "/api/tasks", {"lead_id": hidden["id"], "title": "x"}),
        ("POST", f"/api/leads/{hidden['id']}/move", {"stage_id": hidden["stage_id"], "version": 1}),
    ):
        await agent.refused(method, path, body, 404, "lead-not-found")
    await agent.refused("POST", "/api/leads", {"title": "x", "chat_id": public(ids.CHAT, chats[unseen])}, 404, "chat-not-found")


async def test_a_key_does_what_its_scope_allows(client, signed_in, tenant, owner):
    await owner.lead()
    reader, sender = [Api(client, signed_in(Role.ADMIN, tenant, scopes=[scope])) for scope in (Scope.READ, Scope.SEND)]
    assert len((await reader.get("/api/leads"))["items"]) == 1
    await reader.refused("POST", "/api/leads", {"title": "x"}, 403, "scope-missing")
    lead = await sender.lead("de un programa")
    assert lead["owner_id"] is None
    await sender.refused("POST", "/api/pipelines", {"name": "x"}, 403, "scope-missing")
    await sender.refused("POST", "/api/pipeline", {"name": "x"}, 403, "admin-only")


async def test_an_owner_is_somebody_of_the_account(owner, world, tenant):
    user = new_user()
    await world.handle([a_user(tenant, user)])
    lead = await owner.lead(owner_id=public(ids.USER, user))
    assert lead["owner_id"] == public(ids.USER, user)
    nobody = await owner.ask("PUT", f"/api/leads/{lead['id']}", {"owner_id": None})
    assert nobody["owner_id"] is None
    assert [card["id"] for card in (await owner.get("/api/leads", owned=False))["items"]] == [lead["id"]]
