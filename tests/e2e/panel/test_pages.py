"""Every page of the panel, whatever it is: in both appearances and every width nothing is out of reach of anybody."""

import re
import secrets
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from clarin.browser import DOORS, routes
from clarin.client import Client, eventually
from clarin.testing import Shop, System
from contracts import subjects
from playwright.async_api import BrowserContext, Page, expect
from servicekit.bus import Bus, Item, dlq

from .entrance import PASSWORD, enter
from .pictures import shot

pytestmark = pytest.mark.timeout(300)
expect.set_options(timeout=30_000)

WEB = Path(__file__).parents[3] / "web"
AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
LAPTOP, PHONE = (1280, 800), (360, 740)
#: A laptop at a zoom of 200 %, and the narrowest that anything is to work on: nothing may be wider than they are.
NARROW = ((640, 400), (320, 640))
#: Lists and pages go down, not aside; only tables do, by keys too.
ASIDE = """() => document.documentElement.scrollWidth > innerWidth
  || [...document.querySelectorAll("#content .mantine-ScrollArea-viewport")]
    .some((one) => !one.closest("[class*=TableScrollContainer]") && one.scrollWidth > one.clientWidth + 1)"""
#: A page is there when it has a heading, waits for nothing, and is painted in the colours that were asked for.
READY = """(scheme) => document.querySelector("h1, h2") && !document.querySelector("[aria-busy=true]")
  && document.documentElement.dataset.mantineColorScheme === scheme
  && !document.getAnimations().some((one) => one.playState === "running" && one.effect.getTiming().iterations !== Infinity)"""
RUN = """async ({within, ...options}) => {
  const place = within ? [...document.querySelectorAll(within)] : document;
  const found = await axe.run(place, {resultTypes: ["violations"], ...options});
  return found.violations.flatMap(({id, nodes}) => nodes.map((node) => `${id}: ${node.html.slice(0, 160)}: ${node.failureSummary}`));
}"""
PAINTED = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
GO = "path => { history.pushState({}, '', path); dispatchEvent(new PopStateEvent('popstate')) }"


@pytest.fixture
async def furnished(shop: Shop) -> dict[str, str]:
    """Something to look at on each page, and what stands in their addresses."""
    customer = await shop.customer("Marta Gómez")
    await shop.writes(customer, "Hola, ¿tienen café? <b>gracias</b>")
    client = shop.client
    await client.post("/api/tags", {"name": "VIP", "color": "#e8590c"}, key="tag")
    await client.post("/api/replies", {"shortcut": "hola", "text": "¡Hola, {{contact.first_name}}!"}, key="reply")
    hours = {"name": "Siempre", "everywhere": True, "weekly": [{"day": 0, "opens": "09:00", "closes": "18:00"}]}
    await client.post("/api/hours", hours, key="hours")
    rule: dict[str, Any] = {"name": "Primera", "trigger": {"on": "first_message"}, "actions": [{"do": "make_lead"}]}
    await client.post("/api/automations", rule, key="rule")
    webhook = await client.post("/api/webhooks", {"url": "https://example.com/in", "types": ["*"]}, key="webhook")

    async def chat() -> Any:
        items = (await client.get("/api/chats"))["items"]
        return items[0] if items else None

    found = await eventually(chat, 20, "no chat")
    return {"$chatId": found["id"], "$id": webhook["id"], "$contactId": (found["contact"] or {}).get("id", "")}


async def test_no_page_keeps_anybody_out(page: Page, context: BrowserContext, shop: Shop, furnished: dict[str, str]):
    """WCAG 2.2 AA as far as a machine sees it, light and dark, on a laptop and on a phone; and nothing scrolls sideways."""
    axe = AXE.read_text()
    wrong: list[str] = []

    async def walk(paths: list[str]) -> None:
        await page.set_viewport_size({"width": LAPTOP[0], "height": LAPTOP[1]})
        await page.goto(shop.system.url + paths[0])
        await page.wait_for_load_state("networkidle")
        await page.evaluate(axe)
        for route in paths:
            path = re.sub(r"\$\w+", lambda found: furnished[found[0]], route)
            await page.evaluate(GO, path)
            for width, height in (LAPTOP, PHONE):
                await page.set_viewport_size({"width": width, "height": height})
                # In the dark only the colours are others.
                for scheme, only in (("light", {"type": "tag", "values": WCAG}), ("dark", {"type": "rule", "values": ["color-contrast"]})):
                    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
                    await page.wait_for_function(READY, arg=scheme)
                    await page.evaluate(PAINTED)
                    wrong.extend(f"{path} {width} {scheme}: {what}" for what in await page.evaluate(RUN, {"runOnly": only}))
                if await page.evaluate(ASIDE):
                    wrong.append(f"{path} {width}: scrolls sideways")
            for width, height in NARROW:
                await page.set_viewport_size({"width": width, "height": height})
                await page.evaluate(PAINTED)
                if await page.evaluate(ASIDE):
                    wrong.append(f"{path} {width}: scrolls sideways")

    rooms = [path for path in routes() if path not in DOORS]
    assert len(rooms) > 15
    await walk([*DOORS])
    await enter(context, shop.system, shop.client)
    await walk(rooms)
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong)


#: What opens over a page: where, and what is pressed for it, one after the other; ``key:`` is a key of the
#: keyboard, ``item:`` one of a menu.
DIALOGS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("/inbox", ("key:c",)),
    ("/inbox", ("key:?",)),
    ("/inbox", ("key:Control+k",)),
    ("/inbox", ("Filtros",)),
    ("/inbox/$chatId", ("key:a",)),
    ("/inbox/$chatId", ("key:h",)),
    ("/inbox/$chatId", ("key:l",)),
    ("/inbox/$chatId", ("Más acciones",)),
    ("/inbox/$chatId", ("Emojis",)),
    ("/inbox/$chatId", ("^Acciones del mensaje",)),
    ("/inbox/$chatId", ("^Acciones del mensaje", "item:Más emojis")),
    ("/board", ("Nueva oportunidad",)),
    ("/board/rules", ("Agregar regla",)),
    ("/contacts", ("Nuevo contacto",)),
    ("/contacts", ("Importar",)),
    ("/devices", ("Agregar número",)),
    ("/devices", ("^Detalles de",)),
    ("/settings/people", ("Invitar",)),
    ("/settings/people", ("Crear equipo",)),
    ("/settings/hours", ("Agregar horario",)),
    ("/settings/replies", ("Agregar respuesta",)),
    ("/settings/tags", ("Agregar etiqueta",)),
    ("/settings/keys", ("Crear clave",)),
    ("/settings/webhooks", ("Crear webhook",)),
    ("/settings/webhooks/$id", ("Repetir",)),
    ("/settings/webhooks/$id", ("Enviar prueba",)),
)
OPENED = "[role=dialog], [role=menu], .mantine-Popover-dropdown"
#: What is open stands on the screen, whole from side to side.
BESIDE = """() => [...document.querySelectorAll("[role=dialog], [role=menu], .mantine-Popover-dropdown")].some((one) => {
  const {left, right} = one.getBoundingClientRect();
  return left < -1 || right > innerWidth + 1 || one.scrollWidth > one.clientWidth + 1;
})"""


async def test_no_dialog_keeps_anybody_out(page: Page, context: BrowserContext, shop: Shop, furnished: dict[str, str]):
    """What opens over a page is held to what the pages are."""
    wrong: list[str] = []
    await enter(context, shop.system, shop.client)
    await page.goto(f"{shop.system.url}/inbox")
    await page.wait_for_load_state("networkidle")
    await page.evaluate(AXE.read_text())
    for route, pressed in DIALOGS:
        path, name = re.sub(r"\$\w+", lambda found: furnished[found[0]], route), f"{route} {pressed[-1]}"
        await page.set_viewport_size({"width": LAPTOP[0], "height": LAPTOP[1]})
        await page.emulate_media(color_scheme="light", reduced_motion="reduce")
        await page.evaluate(GO, "/settings/account")
        await page.evaluate(GO, path)
        await page.wait_for_function(READY, arg="light")
        for what in pressed:
            if what.startswith("key:"):
                await page.evaluate("document.activeElement?.blur()")
                await page.keyboard.press(what.removeprefix("key:"))
            elif what.startswith("item:"):
                await page.get_by_role("menuitem", name=what.removeprefix("item:")).click()
            else:
                button = re.compile(what) if what.startswith("^") else what
                await page.get_by_role("button", name=button, exact=not what.startswith("^")).first.click()
        opened = page.locator(OPENED).filter(visible=True).first
        await expect(opened, name).to_be_visible()
        for scheme, only in (("light", {"type": "tag", "values": WCAG}), ("dark", {"type": "rule", "values": ["color-contrast"]})):
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
            await page.wait_for_function(READY, arg=scheme)
            await page.evaluate(PAINTED)
            wrong.extend(f"{name} {scheme}: {what}" for what in await page.evaluate(RUN, {"runOnly": only, "within": OPENED}))
        await shot(page, f"dialog-{name}")
        for width, height in (PHONE, *NARROW):
            await page.set_viewport_size({"width": width, "height": height})
            await page.evaluate(PAINTED)
            if await opened.count() and await page.evaluate(BESIDE):
                wrong.append(f"{name} {width}: goes beyond the screen")
        await page.keyboard.press("Escape")
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong)


async def test_who_runs_the_installation_sees_every_queue_and_settles_what_could_not_be_handled(
    page: Page, context: BrowserContext, system: System, owner: Client
):
    durable, email = "journeys-letters", f"eva-{secrets.token_hex(5)}@example.com"
    await owner.post("/api/auth/users", {"email": email, "name": "Eva", "role": "admin", "password": PASSWORD})
    admin = await asyncpg.connect(str(system.ready["postgres"]))
    assert await admin.execute("update auth.users set installation = true where email = $1", email) == "UPDATE 1"
    await admin.close()
    entered = await context.request.post(f"{system.url}/api/auth/login", data={"email": email, "password": PASSWORD, "session": "cookie"})
    assert entered.ok
    async with Bus.open(str(system.ready["nats"]), name="journey") as bus:
        headers = {dlq.SUBJECT: "evt.devices.device.deleted.v1.somebody", dlq.CODE: "bug", dlq.ERROR: "KeyError"}
        for number in range(3):
            await bus.publish_items([Item(subjects.dead("journeys", durable), f"{email}{number}", b"what the customer wrote", headers)])
        await page.goto(f"{system.url}/ops")
        await page.get_by_role("tab", name="Colas").click()
        await expect(page.locator("[data-durable=conversations-whatsapp]")).to_contain_text("Lo que llega de WhatsApp")
        row = page.locator(f"[data-durable={durable}]")
        await expect(row).to_contain_text("No está")
        await row.get_by_role("button", name="Ver los 3 mensajes").press("Enter")
        region = page.get_by_role("region", name="Mensajes sin atender")
        letters = region.get_by_role("article")
        await expect(letters).to_have_count(3)
        await letters.first.get_by_role("button", name="Detalles").press("Enter")
        await expect(letters.first).to_contain_text("KeyError")
        await page.evaluate(AXE.read_text())
        only = {"light": {"type": "tag", "values": WCAG}, "dark": {"type": "rule", "values": ["color-contrast"]}}
        for (width, height), scheme in ((LAPTOP, "light"), (PHONE, "dark")):
            await page.set_viewport_size({"width": width, "height": height})
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
            await page.wait_for_function(READY, arg=scheme)
            await page.evaluate(PAINTED)
            assert await page.evaluate(RUN, {"runOnly": only[scheme]}) == [], (width, scheme)
        for width, height in (PHONE, *NARROW):
            await page.set_viewport_size({"width": width, "height": height})
            assert not await page.evaluate(ASIDE), width
        await page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})

        asking = page.get_by_role("dialog")
        await letters.first.get_by_role("button", name="Devolver").click()
        await asking.get_by_role("button", name="Devolver").click()
        await expect(letters).to_have_count(2)
        await expect(page.get_by_text("1 mensaje devuelto")).to_be_visible()
        # Somebody else is quicker.
        number = int(await letters.first.get_attribute("data-letter") or 0)
        await letters.first.get_by_role("button", name="Descartar").click()
        await dlq.discard(bus, number)
        await asking.get_by_role("button", name="Descartar").click()
        await expect(page.get_by_text("Este mensaje ya no está aquí")).to_be_visible()
        await expect(letters).to_have_count(1)
        await region.get_by_role("button", name="Descartar todos").click()
        await asking.get_by_role("button", name="Descartar").click()
        await expect(region).to_contain_text(f"No hay mensajes sin atender de {durable}")
        assert await dlq.newest(bus, durable=durable) == []
    await page.evaluate(GO, "/settings/activity")
    await expect(page.get_by_text("descartó mensajes sin atender")).to_be_visible()
    await expect(page.get_by_text("devolvió mensajes sin atender")).to_be_visible()
