"""Lists of contacts come in: looked at, tried, taken in once whatever dies, and what was refused can be had."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
import python_calamine
from contracts import ids
from contracts.events.conversations import ContactChanged, ContactCreated, ImportChanged
from contracts.principal import Role
from conversations import api
from conversations.files import Files, sheets
from conversations.files.reader import Wanted
from conversations.settings import ConversationsSettings
from conversations.store import imports
from conversations.timers import lists as timer
from servicekit.auth import Verifier
from servicekit.db import Database, raw
from servicekit.health import Health
from servicekit.http import create_app
from servicekit.objects import Objects
from servicekit.testing import eventually

from .conftest import running
from .facts import a_device, a_message

ROWS = 600


@pytest.fixture
def objects(tmp_path: Any) -> Objects:
    return Objects.folder(tmp_path / "objects")


@pytest_asyncio.fixture
async def lists(world: Any, bus: Any, signed_in: Any, tenant: Any, objects: Objects) -> AsyncIterator[httpx.AsyncClient]:
    """The API as the owner of *tenant*."""
    settings = ConversationsSettings(
        database_url="postgresql://unused", system_database_url="postgresql://unused", nats_url="nats://unused", cursor_secret="c" * 32,
        import_rows=ROWS, import_bytes=1 << 20,
    )  # fmt: skip
    async with Verifier.open(bus) as verifier:
        app = create_app(
            title="test",
            service=Health(),
            verifier=verifier,
            routers=api.ROUTERS,
            body_limits=api.BODY_LIMITS,
            cursor_secret=settings.cursor_secret,
            state={"db": world.db, "bus": bus, "settings": settings, "files": Files(objects)},
        )
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=signed_in(tenant=tenant).headers) as opened:
            yield opened


@pytest.fixture
def at_work(world: Any, objects: Objects) -> Any:
    """Give what makes a process bring lists in while the block lasts."""

    def work() -> Any:
        async def part(stopping: asyncio.Event) -> None:
            async with Database.open(world.urls.system_url, application="imports", pool=3) as system:
                await timer.importing(world.db, system, objects, most=ROWS)(stopping)

        return running(part)

    return work


async def bring(lists: httpx.AsyncClient, data: bytes | str, name: str = "clientes.csv", **headers: str) -> httpx.Response:
    content = data.encode() if isinstance(data, str) else data
    return await lists.post("/api/contacts/imports", files={"file": (name, content)}, headers=headers)


async def do(lists: httpx.AsyncClient, one: dict[str, Any], what: str, **plan: Any) -> dict[str, Any]:
    answer = await lists.post(f"/api/contacts/imports/{one['id']}/{what}", json=plan)
    assert answer.status_code in (200, 202), answer.text
    return dict(answer.json())


async def until(lists: httpx.AsyncClient, one: dict[str, Any], *states: str) -> dict[str, Any]:
    shown: dict[str, Any] = {}

    async def there() -> bool:
        shown.update((await lists.get(f"/api/contacts/imports/{one['id']}")).json())
        return shown["state"] in states

    await eventually(there, 60)
    return shown


async def contacts(lists: httpx.AsyncClient, **query: str) -> list[dict[str, Any]]:
    return list((await lists.get("/api/contacts", params={"limit": "100", **query})).json()["items"])


def counts(one: dict[str, Any]) -> tuple[int, ...]:
    return tuple(one["counts"][name] for name in ("new", "changed", "unchanged", "refused"))


LIST = """Nombre;Teléfono;Correo;Etiquetas;Estado;Talla;Otra cosa
Ana;+55 11 91234-5678;ana@example.com;VIP, Mayorista;Cliente;M;x
Luis;(11) 91234-0000;;;;;
Eva;11912345678;;;;;
Nadie;;nadie@example.com;;;;
Malo;12;;;;;
=cmd|' /C calc'!A0;+54 9 11 2345-6789;;;;;
Raro;+5511977776666;;;No existe;;
"""


async def test_a_list_is_looked_at_tried_and_taken_in_and_what_was_refused_can_be_had(lists, world, at_work, tenant, device):
    await lists.put("/api/contact-fields", json={"items": [{"key": "size", "name": "Talla", "kind": "text"}]})
    await world.handle([a_device(tenant, device, phone="5511900001111"), a_message(tenant, device, push_name="Ana en WhatsApp")])
    await world.forget_told()
    made = await bring(lists, LIST)
    assert made.status_code == 201, made.text
    one = made.json()
    targets = ["name", "phone", "email", "tags", "state", "field:size", None]
    assert [column["target"] for column in one["columns"]] == targets
    assert (one["rows"], one["country"], one["header"], one["state"]) == (7, "BR", True, "ready")
    assert one["columns"][0]["samples"][0] == "Ana"
    async with at_work():
        await do(lists, one, "check")
        tried = await until(lists, one, "checked", "failed")
        assert counts(tried) == (2, 1, 0, 4)
        assert tried["counts"]["reasons"] == {"phone-twice": 1, "phone-missing": 1, "phone-invalid": 1, "state-unknown": 1}
        assert len(await contacts(lists)) == 1, "nothing is written by trying"
        assert (await lists.get("/api/tags")).json()["items"] == []
        await do(lists, one, "start")
        done = await until(lists, one, "done", "failed")
        assert counts(done) == counts(tried)
        [ana] = await contacts(lists, q="ana@")
        tags = {tag["id"]: tag["name"] for tag in (await lists.get("/api/tags")).json()["items"]}
        assert (ana["name"], ana["phone"], ana["fields"], {tags[tag] for tag in ana["tags"]}) == (
            *("Ana", "5511912345678", {"size": "M"}),
            {"VIP", "Mayorista"},
        )
        assert {one["name"] for one in await contacts(lists)} == {"Ana", "Luis", "=cmd|' /C calc'!A0"}
        assert len(await world.told(ContactCreated)) == 2
        [changed] = await world.told(ContactChanged)
        assert changed.data.profile.email == "ana@example.com"
        told = [event.data for event in await world.told(ImportChanged)]
        assert [(event.state, event.actor is not None) for event in told if event.state != "checking"] == [
            *([("checked", False)]),
            ("running", True),
            *([("running", False)] * (len([e for e in told if e.state == "running"]) - 1)),
            ("done", False),
        ]
        await do(lists, one, "start")
        again = await until(lists, one, "done", "failed")
        assert counts(again) == (0, 0, 3, 4), "what is here already is as it is"
    errors = await lists.get(f"/api/contacts/imports/{one['id']}/errors")
    rows = list(csv.reader(io.StringIO(errors.text.removeprefix("\ufeff"))))
    assert rows[0][:4] == ["row", "reason", "column", "Nombre"]
    assert [row[:4] for row in rows[1:]] == [
        ["4", "phone-twice", "", "Eva"],
        ["5", "phone-missing", "Teléfono", "Nadie"],
        ["6", "phone-invalid", "Teléfono", "Malo"],
        ["8", "state-unknown", "Estado", "Raro"],
    ]


async def test_a_process_that_dies_leaves_a_list_where_another_goes_on_and_each_row_comes_once(lists, world, objects, tenant):
    one = (await bring(lists, "name,phone\n" + "".join(f"C{n},+55119{n:08d}\n" for n in range(20_000_000, 20_000_550)))).json()
    await do(lists, one, "start")
    id = ids.parse(ids.IMPORT, one["id"])
    async with Database.open(world.urls.system_url, application="imports", pool=3) as system:
        found = await timer._claimed(world.db, system)
        assert found is not None
        wanted = Wanted(file=_file(objects, tenant, id), most=ROWS, mapping=found.mapping)
        part = await anext(sheets.rows(wanted, timer.ROWS_AT_ONCE))
        assert (await timer.step(world.db, found, part)).place == timer.ROWS_AT_ONCE + 1
        assert await timer.step(world.db, found, part) is None, "whoever is late does nothing"
        # here it dies, and nobody may take the list over before its word is old
        assert await timer._claimed(world.db, system) is None
        await world.admin.execute("update imports set claimed_until = now() - interval '1 second'")
        found = await timer._claimed(world.db, system)
        await timer._work(world.db, objects, found, ROWS, asyncio.Event())
    done = await until(lists, one, "done", "failed")
    assert counts(done) == (550, 0, 0, 0)
    [row] = await world.rows("select count(*), count(distinct phone) as phones from contacts where tenant = $1", tenant)
    assert (row["count"], row["phones"]) == (550, 550)
    assert len(await world.told(ContactCreated)) == 550
    assert await world.rows("select from import_phones") == []


def _file(objects: Objects, tenant: Any, id: Any) -> str:
    folder = objects._folder
    assert folder is not None
    return str(folder / str(tenant) / "imports" / str(id))


async def test_a_list_that_is_cancelled_stops_and_can_be_begun_again(lists, world, at_work):
    one = (await bring(lists, "name,phone\nAna,+5511912345678\n")).json()
    await do(lists, one, "start")
    assert (await do(lists, one, "cancel"))["state"] == "cancelled"
    assert (await do(lists, one, "cancel"))["state"] == "cancelled"
    async with at_work():
        await do(lists, one, "start")
        assert counts(await until(lists, one, "done")) == (1, 0, 0, 0)


async def test_a_plan_that_makes_no_sense_is_refused_and_one_at_work_is_left_alone(lists):
    one = (await bring(lists, "name,phone\nAna,+5511912345678\n")).json()
    path = f"/api/contacts/imports/{one['id']}"
    for wrong in ({"columns": ["name", None]}, {"columns": ["phone"]}, {"country": "ZZ"}):
        answer = await lists.post(f"{path}/start", json=wrong)
        assert (answer.status_code, answer.json()["code"]) == (422, "import-columns-invalid"), wrong
    await do(lists, one, "check")
    answer = await lists.post(f"{path}/start", json={})
    assert (answer.status_code, answer.json()["code"]) == (409, "import-state")
    assert (await lists.get(f"/api/contacts/imports/{ids.public(ids.IMPORT, ids.new())}")).json()["code"] == "import-not-found"


async def test_a_list_only_fills_in_and_refuses_unknown_tags_where_it_is_told_so(lists, at_work):
    key = {"Idempotency-Key": "one"}
    await lists.post("/api/contacts", json={"phone": "+5511912345678", "name": "Ana"}, headers=key)
    one = (await bring(lists, "name,phone,email,tags\nOtra,5511912345678,ana@example.com,\nLuis,5511912340000,,Nueva\n")).json()
    async with at_work():
        await do(lists, one, "start", overwrite=False, create_tags=False)
        done = await until(lists, one, "done", "failed")
    assert done["counts"]["reasons"] == {"tag-unknown": 1}
    [ana] = await contacts(lists)
    assert (ana["name"], ana["email"]) == ("Ana", "ana@example.com")


async def test_what_is_no_list_or_too_large_a_one_leaves_nothing_behind_and_a_script_is_a_list_of_nobody(lists, world):
    for data, status, code in (
        (b"", 422, "import-unreadable"),
        (b"PK\x03\x04 not a spreadsheet", 422, "import-unreadable"),
        (b"phone\n" + b"5511912345678\n" * (ROWS + 1), 413, "import-too-large"),
        (b"phone\n" + b"5511912345678,\n" * 90_000, 413, "import-too-large"),
    ):
        answer = await bring(lists, data)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.json()["detail"]
    assert await world.rows("select from imports") == []
    one = (await bring(lists, "#!/bin/bash\nrm -rf /\n")).json()
    assert [column["target"] for column in one["columns"]] == [None]
    assert (await lists.post(f"/api/contacts/imports/{one['id']}/start", json={})).json()["code"] == "import-columns-invalid"


async def test_a_list_is_brought_once_for_one_key_and_by_those_who_may(lists, signed_in, objects, tenant):
    first = await bring(lists, LIST, **{"Idempotency-Key": "k"})
    assert (await bring(lists, LIST, **{"Idempotency-Key": "k"})).json() == first.json()
    assert (await bring(lists, LIST + "x", **{"Idempotency-Key": "k"})).json()["code"] == "idempotency-mismatch"
    assert len((await lists.get("/api/contacts/imports")).json()["items"]) == 1
    assert len([file for file in objects._folder.rglob("*") if file.is_file()]) == 1, "what was not taken leaves no file behind"
    path = f"/api/contacts/imports/{first.json()['id']}"
    assert (await lists.get(path, headers=signed_in().headers)).json()["code"] == "import-not-found"
    agent = signed_in(Role.AGENT, tenant)
    assert (await lists.get(path, headers=agent.headers)).status_code == 403
    assert (await bring(lists, LIST, **agent.headers)).status_code == 403


async def test_old_lists_go_with_their_files_and_what_was_refused(lists, world, objects, at_work):
    one = (await bring(lists, "phone\n12\n")).json()
    async with at_work():
        await do(lists, one, "start", columns=["phone"])
        await until(lists, one, "done")
    async with Database.open(world.urls.system_url, application="sweep", pool=1) as system, system.system() as tx:
        assert await imports.sweep(tx, timedelta(days=7)) == []
        [file] = await imports.sweep(tx, timedelta(0))
        assert await objects.size(file)
        assert await (await raw(tx)).fetchval("select count(*) from import_refusals") == 0


@pytest.mark.parametrize("format", ["csv", "xlsx"])
async def test_contacts_leave_as_a_file_without_live_formulas_and_come_back_as_they_were(lists, at_work, format):
    await lists.put("/api/contact-fields", json={"items": [{"key": "size", "name": "Talla", "kind": "text"}]})
    one = (await bring(lists, LIST)).json()
    async with at_work():
        await do(lists, one, "start", country="BR")
        await until(lists, one, "done")
        left = await lists.get("/api/contacts/export", params={"format": format})
        assert left.status_code == 200
        rows = _rows(left.content, format)
        assert rows[0] == ["name", "phone", "email", "state", "tags", "created_at", "blocked", "Talla"]
        assert len(rows) == 4
        ana = next(row for row in rows if row[0] == "Ana")
        assert (ana[1:5], ana[7]) == (["5511912345678", "ana@example.com", "Cliente", "Mayorista, VIP"], "M") or ana[4] == "VIP, Mayorista"
        if format == "csv":
            assert "'=cmd" in left.text
        back = (await bring(lists, left.content, f"contacts.{format}")).json()
        await do(lists, back, "start")
        assert counts(await until(lists, back, "done"))[::3] == (0, 0)
    filtered = await lists.get("/api/contacts/export", params={"q": "ana"})
    assert len(_rows(filtered.content, "csv")) == 2


def _rows(data: bytes, format: str) -> list[list[Any]]:
    if format == "csv":
        return list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))
    return python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_index(0).to_python()


async def test_whoever_sees_some_numbers_only_takes_away_whom_he_sees(lists, world, signed_in, limited, tenant, device):
    await world.handle([a_device(tenant, device), a_message(tenant, device, push_name="Ana")])
    await lists.post("/api/contacts", json={"phone": "+5511900000000", "name": "Otra"}, headers={"Idempotency-Key": "o"})
    someone = signed_in(Role.AGENT, tenant)
    await limited(someone, device)
    assert len(_rows((await lists.get("/api/contacts/export")).content, "csv")) == 3

    async def seen() -> int:
        return len(_rows((await lists.get("/api/contacts/export", headers=someone.headers)).content, "csv")) - 1

    async def only_ana() -> bool:
        return await seen() == 1

    await eventually(only_ana)
