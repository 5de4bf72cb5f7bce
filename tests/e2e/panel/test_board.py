"""One board in two browsers: what one drags, the other sees."""

import secrets
from collections.abc import AsyncIterator

import pytest
from clarin.client import Client
from clarin.testing import Shop, System
from playwright.async_api import BrowserContext, Locator, Page, Route, expect

from .pictures import shot

pytestmark = pytest.mark.timeout(300)

#: Two browsers beside the whole system, on a machine that may have other work to do.
expect.set_options(timeout=30_000)


async def person(client: Client, name: str) -> tuple[str, str]:
    email, password = f"{name}-{secrets.token_hex(5)}@example.com", f"un-agente-largo-{secrets.token_hex(3)}"
    await client.post("/api/auth/users", {"email": email, "name": name, "role": "admin", "password": password})
    return email, password


@pytest.fixture
async def other(context: BrowserContext) -> AsyncIterator[Page]:
    """A page of a second browser, on a phone."""
    assert context.browser
    second = await context.browser.new_context(
        locale="es-MX", timezone_id="America/Mexico_City", viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True
    )
    yield await second.new_page()
    await second.close()


async def on_board(page: Page, url: str, who: tuple[str, str]) -> None:
    email, password = who
    await page.goto(f"{url}/login")
    await page.get_by_label("Correo").fill(email)
    await page.get_by_label("Contraseña").fill(password)
    await page.get_by_role("button", name="Entrar").click()
    await page.get_by_role("link", name="Embudo").click()
    await expect(column(page, "Nuevo")).to_be_visible()


def column(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name)


def card(page: Page, title: str) -> Locator:
    return page.get_by_test_id("lead").filter(has_text=title)


async def centre(of: Locator) -> tuple[float, float]:
    box = await of.bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


async def drag(page: Page, title: str, to: str) -> None:
    """By mouse, as a hand does it: press, a little, all the way, let go."""
    x, y = await centre(card(page, title))
    end_x, end_y = await centre(column(page, to))
    await page.mouse.move(x, y)
    await page.mouse.down()
    await page.mouse.move(x + 12, y + 4, steps=3)
    await expect(card(page, title)).to_have_attribute("data-dragging", "true")
    await page.mouse.move(end_x, end_y, steps=8)
    await expect(column(page, to).locator("[data-over]")).to_be_visible()
    await page.mouse.up()


async def test_two_people_at_one_board(page: Page, other: Page, shop: Shop):
    customer = await shop.customer("Luis")
    async with shop.client.socket() as socket:
        await shop.writes(customer, "¿Tienen mesas?")
        chat = (await socket.event("new_message"))["chat_id"]
    for title, value in (("Bancos", 90_000), ("Mesas", 125_050)):
        body = {"title": title, "value": value, "currency": "MXN"} | ({"chat_id": chat} if title == "Mesas" else {})
        await shop.client.post("/api/leads", body, key=title)
    await on_board(page, shop.system.url, await person(shop.client, "Ana"))
    await on_board(other, shop.system.url, await person(shop.client, "Beto"))
    await expect(card(page, "Mesas")).to_contain_text("¿Tienen mesas?")
    await expect(column(page, "Nuevo").get_by_test_id("count")).to_have_text("2")
    await shot(page, "board")
    await shot(other, "phone-board")
    assert await other.evaluate("document.documentElement.scrollWidth") <= 390, "the page scrolls sideways"

    await drag(page, "Mesas", "Contactado")
    for one in (page, other):
        await expect(column(one, "Contactado")).to_contain_text("Mesas")
        await expect(column(one, "Contactado").get_by_test_id("count")).to_have_text("1")
        await expect(column(one, "Contactado").get_by_test_id("total")).to_contain_text("1,250.50")
        await expect(column(one, "Nuevo")).not_to_contain_text("Mesas")

    # By keys on one, by a long touch on the other.
    await card(page, "Bancos").focus()
    await page.keyboard.press("Space")
    await expect(card(page, "Bancos")).to_have_attribute("data-dragging", "true")
    await page.keyboard.press("ArrowRight")
    await expect(column(page, "Contactado").locator("[data-over]")).to_be_visible()
    await page.keyboard.press("Space")
    await expect(column(other, "Contactado")).to_contain_text("Bancos")
    await expect(column(other, "Contactado").get_by_test_id("lead")).to_have_count(2)
    await touch(other, "Bancos", by=300)
    await expect(column(page, "Propuesta")).to_contain_text("Bancos")

    # A card that somebody else has just moved goes where he put it, and this is said.
    bancos = (await shop.client.get("/api/leads?q=Bancos"))["items"][0]
    stages = {stage["name"]: stage["id"] for stage in (await shop.client.get("/api/pipelines"))["items"][0]["stages"]}

    async def overtaken(route: Route) -> None:
        await shop.client.post(f"/api/leads/{bancos['id']}/move", {"stage_id": stages["Negociación"], "version": bancos["version"]})
        await route.continue_()

    await page.route("**/move", overtaken)
    await drag(page, "Bancos", "Nuevo")
    await expect(page.get_by_text("Otra persona movió esta tarjeta antes")).to_be_visible()
    await expect(column(page, "Negociación")).to_contain_text("Bancos")
    await expect(column(page, "Nuevo")).not_to_contain_text("Bancos")
    await page.unroute("**/move")

    await card(page, "Mesas").click()
    drawer = page.get_by_role("dialog")
    await drawer.get_by_role("textbox", name="Nueva nota").fill("Quiere seis")
    await drawer.get_by_role("button", name="Agregar nota").click()
    await expect(drawer.get_by_role("textbox", name="Nueva nota")).to_have_value("")
    await expect(drawer.get_by_text("Quiere seis")).to_be_visible()
    await drawer.get_by_role("textbox", name="Título", exact=True).fill("Mesas de teca")
    await shot(page, "board-lead")
    await drawer.get_by_role("button", name="Guardar").click()
    await expect(card(other, "Mesas de teca")).to_be_visible()
    await drawer.get_by_role("link", name="Abrir chat").click()
    await expect(page.get_by_test_id("message")).to_contain_text("¿Tienen mesas?")
    await expect(page.get_by_test_id("chat-stage")).to_have_text("Contactado")


async def touch(page: Page, title: str, by: float) -> None:
    """A finger rests on a card, lifts it, and carries it to the right."""
    held = card(page, title)
    await held.scroll_into_view_if_needed()
    x, y = await centre(held)
    session = await page.context.new_cdp_session(page)

    async def finger(kind: str, *points: tuple[float, float]) -> None:
        await session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": px, "y": py} for px, py in points]})

    await finger("touchStart", (x, y))
    await expect(held).to_have_attribute("data-dragging", "true")
    for step in range(1, 11):
        await finger("touchMove", (x + by * step / 10, y))
    await expect(column(page, "Propuesta").locator("[data-over]")).to_be_visible()
    await finger("touchEnd")


async def test_leads_are_entered_filtered_and_stages_set(page: Page, system: System, owner: Client):
    await on_board(page, system.url, await person(owner, "Ana"))
    await expect(page.get_by_text("Todavía no hay oportunidades")).to_be_visible()
    await shot(page, "board-empty")
    for title, value in (("Sillas", "1500.50"), ("Lámparas", "")):
        await page.get_by_role("button", name="Nueva oportunidad").click()
        await page.get_by_role("textbox", name="Título", exact=True).fill(title)
        if value:
            await page.get_by_label("Valor (").fill(value)
        await page.get_by_role("button", name="Crear", exact=True).click()
        await expect(card(page, title)).to_be_visible()
    await expect(column(page, "Nuevo").get_by_test_id("count")).to_have_text("2")
    await page.get_by_label("Buscar por título").fill("sill")
    await expect(page.get_by_test_id("lead")).to_have_count(1)
    await expect(column(page, "Nuevo").get_by_test_id("count")).to_have_text("1")
    await page.get_by_label("Buscar por título").fill("")
    await expect(page.get_by_test_id("lead")).to_have_count(2)

    await page.get_by_role("button", name="Etapas del embudo").click()
    dialog = page.get_by_role("dialog", name="Etapas del embudo")
    await dialog.get_by_label("Nombre de la nueva etapa").fill("Demostración")
    await dialog.get_by_role("button", name="Agregar etapa").click()
    await expect(dialog.get_by_test_id("stage-row")).to_have_count(7)
    await shot(page, "board-stages")
    await dialog.get_by_role("button", name="Eliminar la etapa Nuevo").click()
    sure = page.get_by_role("dialog", name="Eliminar la etapa Nuevo")
    await sure.get_by_label("Mover las oportunidades a").click()
    await page.get_by_role("option", name="Contactado").click()
    await sure.get_by_role("button", name="Eliminar etapa").click()
    await expect(dialog.get_by_test_id("stage-row")).to_have_count(6)
    await page.keyboard.press("Escape")
    await expect(column(page, "Contactado").get_by_test_id("lead")).to_have_count(2)
    await expect(column(page, "Demostración")).to_be_visible()
