"""A day of an agent: customers at one end with virtual phones, the panel at the other."""

import io
import math
import re
import secrets
import struct
import wave

import pytest
from aiohttp import FormData
from clarin.client import Client, eventually
from clarin.testing import Shop
from PIL import Image
from playwright.async_api import BrowserContext, Locator, Page, expect

from .pictures import shot
from .test_panel import sign_in

pytestmark = pytest.mark.timeout(300)

#: A browser beside the whole system, on a machine that may have other work to do.
expect.set_options(timeout=30_000)


def picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (640, 480), (40, 120, 160)).save(file, "JPEG")
    return file.getvalue()


def spoken(seconds: int = 1) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"".join(struct.pack("<h", int(9000 * math.sin(n / 6))) for n in range(8000 * seconds)))
    return file.getvalue()


async def phone_sends(shop: Shop, customer: str, kind: str, data: bytes, name: str, **more: str) -> None:
    form = FormData({"to": shop.number, "kind": kind, **more})
    form.add_field("file", data, filename=name)
    await shop.network.ask("POST", f"/phones/{customer}/media", data=form)


async def colleague(shop: Shop, name: str) -> tuple[str, str]:
    email, password = f"{secrets.token_hex(5)}@example.com", f"un-agente-largo-{secrets.token_hex(3)}"
    await shop.client.post("/api/auth/users", {"email": email, "name": name, "role": "agent", "password": password})
    return email, password


def bubble(page: Page, text: str) -> Locator:
    return page.get_by_test_id("message").filter(has_text=text)


def box(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Escribe un mensaje")


async def menu(page: Page, text: str, item: str) -> None:
    """Do something to a message, as a hand does it."""
    await bubble(page, text).first.hover()
    await page.get_by_role("button", name=f"Acciones del mensaje {text}").first.click()
    await page.get_by_role("menuitem", name=item).click()


async def key(page: Page, name: str) -> None:
    """Press a key while nobody types."""
    await page.evaluate("document.activeElement?.blur()")
    await page.keyboard.press(name)


async def test_a_day_of_an_agent(page: Page, shop: Shop):
    beto = await colleague(shop, "Beto Ruiz")
    await shop.client.post("/api/replies", {"shortcut": "hola", "text": "Hola {{contact.first_name}}, con gusto."}, key="hola")
    luis = await shop.customer("Luis")
    first = await shop.writes(luis, "¿Tienen de este?")
    await phone_sends(shop, luis, "image", picture(), "foto.jpg", caption="Así se ve")
    await phone_sends(shop, luis, "voice", spoken(), "nota.ogg", seconds="1")

    ana = await colleague(shop, "Ana")
    await sign_in(page, shop, *ana)
    row = page.get_by_role("link", name="Luis")
    await expect(row.get_by_label("3 mensajes sin leer")).to_be_visible()
    await row.click()
    await expect(page.get_by_text("Mensajes nuevos")).to_be_visible()
    shown = bubble(page, "Así se ve").get_by_role("img").or_(bubble(page, "Así se ve").locator("img")).first
    await expect(shown).to_be_visible()
    await expect(page.get_by_role("button", name="Reproducir: Nota de voz")).to_be_visible()
    await expect(row.get_by_label("3 mensajes sin leer")).to_be_hidden()

    # The customer writes: the list shows it too, until he pauses.
    async def seen() -> bool:
        await shop.network.ask("POST", f"/phones/{luis}/typing", {"to": shop.number})
        return await row.get_by_text("escribiendo…").is_visible()

    await eventually(seen, 30, "the list does not show that the customer writes")
    await shop.network.ask("POST", f"/phones/{luis}/typing", {"to": shop.number, "state": "paused"})
    await expect(row.get_by_text("escribiendo…")).to_be_hidden()

    await page.get_by_role("button", name=re.compile("Abrir Foto")).click()
    await expect(page.get_by_role("button", name="Acercar")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="Acercar")).to_be_hidden()

    # A file, with words of its own; the line breaks on its way up.
    await page.route("**/api/media", lambda route: route.abort("connectionreset"))
    await page.get_by_test_id("files").set_input_files(
        {"name": "precios.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4 " + b"x" * 900}
    )
    await expect(page.get_by_test_id("attached")).to_contain_text("No hay conexión con el servidor")
    await page.unroute("**/api/media")
    await page.get_by_test_id("attached").get_by_role("button", name="Reintentar").click()
    await expect(page.get_by_test_id("attached")).to_have_attribute("data-ready", "true")
    await box(page).fill("Aquí los precios")
    await page.keyboard.press("Enter")
    await expect(bubble(page, "Aquí los precios")).to_have_attribute("data-status", "delivered")
    await expect(page.get_by_role("link", name=re.compile("precios.pdf"))).to_be_visible()

    # An answer to one message, and an emoji on it.
    await menu(page, "¿Tienen de este?", "Responder")
    await box(page).fill("Sí, en azul.")
    await page.keyboard.press("Enter")
    answer = bubble(page, "Sí, en azul.")
    await expect(answer.get_by_role("button", name=re.compile("Responde a: ¿Tienen de este"))).to_be_visible()
    await menu(page, "¿Tienen de este?", "Reaccionar con 👍")
    await expect(page.get_by_test_id("reaction")).to_be_visible()

    # A canned reply, with whom it is for.
    await box(page).press_sequentially("/ho")
    await expect(page.get_by_role("option").filter(has_text="/hola")).to_be_visible()
    await page.keyboard.press("Enter")
    await expect(box(page)).to_have_value("Hola Luis, con gusto.")
    await page.keyboard.press("Enter")
    await expect(bubble(page, "Hola Luis, con gusto.")).to_have_count(1)
    inbox = await shop.inbox(luis, 4, 40)
    assert [item["kind"] for item in inbox] == ["document", "text", "reaction", "text"]
    assert inbox[1]["text"] == "Sí, en azul."
    assert first

    # A note that names somebody, who hears of it.
    async with Client(shop.system.url) as other:
        await other.login(*beto)
        async with other.socket() as socket:
            # Two in one chat see each other before both answer.
            chat = page.url.rpartition("/")[2]

            async def is_here() -> bool:
                await socket.say("presence", state="online", chats=[chat])
                return await page.get_by_role("status").filter(has_text="También aquí: Beto Ruiz").is_visible()

            async def seen_too() -> bool:
                await socket.say("typing", chat_id=chat)
                return await row.get_by_text("Beto Ruiz está escribiendo…").is_visible()

            await eventually(is_here, 30, "nothing says that a colleague has the chat open")
            await eventually(seen_too, 30, "the list does not show that a colleague writes")
            await page.get_by_role("button", name="Nota interna").click()
            note = page.get_by_role("textbox", name=re.compile("Nota interna"))
            await note.press_sequentially("@Be")
            await expect(page.get_by_role("option", name=re.compile("Beto Ruiz"))).to_be_visible()
            await page.keyboard.press("Enter")
            await note.press_sequentially("¿nos queda?")
            await page.keyboard.press("Enter")
            await expect(page.get_by_test_id("note")).to_contain_text("@Beto Ruiz ¿nos queda?")
            assert (await socket.event("mentioned"))["user_id"] == other.me["user"]["id"]
    await page.get_by_role("button", name="Nota interna").click()

    # Given to a colleague, put off, closed: by keys.
    await key(page, "a")
    dialog = page.get_by_role("dialog", name="Asignar")
    await dialog.get_by_role("combobox", name="Agente").or_(dialog.get_by_role("textbox", name="Agente")).first.fill("Beto")
    await page.get_by_role("option", name="Beto Ruiz").click()
    await dialog.get_by_role("button", name="Asignar").click()
    await expect(page.get_by_test_id("happened").filter(has_text="Asignado a Beto Ruiz")).to_be_visible()
    await shot(page, "inbox-day")
    await key(page, "h")
    await page.get_by_role("dialog", name="Posponer").get_by_role("button", name=re.compile("Mañana")).click()
    await expect(page.get_by_test_id("chat-status")).to_have_text("Pospuesto")
    await expect(row).to_be_hidden()
    await shop.writes(luis, "¿Sigue?")
    await expect(page.get_by_test_id("chat-status")).to_be_hidden()
    await expect(row).to_be_visible()
    await key(page, "e")
    await expect(page.get_by_test_id("chat-status")).to_have_text("Cerrado")
    await expect(row).to_be_hidden()
    await shop.writes(luis, "Una cosa más")
    await expect(row).to_be_visible()
    await expect(page.get_by_test_id("happened").filter(has_text="Chat abierto de nuevo").first).to_be_visible()

    # What was said is found, and leads to where it was said.
    await page.get_by_role("searchbox", name="Buscar chats, mensajes y archivos").fill("azul")
    results = page.get_by_role("region", name="Resultados")
    found = results.get_by_role("link")
    await expect(found.locator("mark").first).to_have_text("azul")
    await results.get_by_role("button", name="Filtros").click()
    await page.get_by_label("Hasta").fill("2020-01-31")
    await expect(results.get_by_text("Nada coincide con estos filtros.")).to_be_visible()
    await results.get_by_role("button", name="Quitar filtros").click()
    await results.get_by_role("combobox", name="Estado", exact=True).click()
    await page.get_by_role("option", name="Abierto").click()
    await expect(results.get_by_role("button", name="Filtros (1)")).to_be_visible()
    await found.first.click()
    await expect(answer).to_be_in_viewport()


async def test_whoever_goes_from_chat_to_chat_by_keys_writes_nothing_until_he_wants_to(page: Page, shop: Shop):
    for name in ("Eva", "Luis", "Noé"):
        await shop.writes(await shop.customer(name), f"soy {name}")
    await sign_in(page, shop, *await colleague(shop, "Ana Ríos"))
    rows = page.locator("a[href^='/inbox/cht_']")
    await expect(rows).to_have_count(3)
    await page.wait_for_load_state("networkidle")
    first, second, third = await rows.evaluate_all("all => all.map((one) => one.href)")
    await key(page, "j")
    for opened, pressed in ((first, "j"), (second, "j"), (third, "k"), (second, "r")):
        await expect(page).to_have_url(opened)
        await expect(page.get_by_test_id("message")).to_have_count(1)
        await expect(box(page)).to_have_value("")
        await expect(box(page)).not_to_be_focused()
        await page.keyboard.press(pressed)
    await expect(box(page)).to_be_focused()
    await page.keyboard.type("con gusto")
    await expect(box(page)).to_have_value("con gusto")


async def test_nothing_that_is_written_is_lost_on_a_phone(page: Page, context: BrowserContext, shop: Shop):
    await page.set_viewport_size({"width": 320, "height": 640})
    omar = await shop.customer(("عمر <b>x</b> " + "con un nombre larguísimo " * 12)[:300])
    await shop.writes(omar, "مرحبا <img src=x onerror=alert(1)>")
    await sign_in(page, shop, *await colleague(shop, "Ana"))
    await page.get_by_role("link", name="عمر").click()
    await expect(bubble(page, "<img src=x onerror=alert(1)>")).to_have_count(1)
    said = bubble(page, "مرحبا").locator("[dir=auto]").first
    assert await said.evaluate("(words) => getComputedStyle(words).direction") == "rtl"
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320, "the page scrolls sideways"

    # What cannot be shown says so: a poll that is answered on the phone, a kind that nobody knows, a message that cannot be opened.
    kinds = f"/phones/{omar}/kinds"
    await shop.network.ask("POST", kinds, {"to": shop.number, "kind": "poll", "name": "¿Cuál?", "options": ["<i>Azul</i>", "Rojo"]})
    await expect(bubble(page, "¿Cuál?")).to_contain_text("<i>Azul</i>")
    await shop.network.ask("POST", kinds, {"to": shop.number, "kind": "unknown", "name": "algo"})
    await expect(bubble(page, "Este tipo de mensaje aún no se muestra aquí. Míralo en el teléfono.")).to_be_visible()
    await shop.network.ask("POST", f"/phones/{omar}/corrupt", {"count": 1000})
    await shop.writes(omar, "rota")
    await expect(bubble(page, "Esperando este mensaje. Puede tardar un poco.")).to_be_visible()
    await shop.network.ask("POST", f"/phones/{omar}/corrupt", {"count": 0})

    # Too long for WhatsApp: it is said before anything is sent, with what can be done.
    await box(page).fill("a" * 60_001)
    await expect(page.get_by_text("Es demasiado largo: 60001 de 60000 caracteres.")).to_be_visible()
    await expect(page.get_by_role("button", name="Enviar", exact=True)).to_be_disabled()
    await page.get_by_role("button", name="Enviar como archivo").click()
    await expect(page.get_by_test_id("attached")).to_have_attribute("data-ready", "true")
    await page.get_by_role("button", name="Quitar mensaje.txt").click()

    # Written without a network, and the page loaded anew: it goes out once, in the order of writing.
    await context.set_offline(True)
    for text in ("uno", "dos"):
        await box(page).fill(text)
        await page.keyboard.press("Enter")
        await expect(bubble(page, text)).to_have_attribute("data-status", "queued")
    await box(page).fill("sin terminar")
    await context.set_offline(False)
    await page.reload()
    await expect(box(page)).to_have_value("sin terminar")
    for text in ("uno", "dos"):
        await expect(bubble(page, text)).to_have_attribute("data-status", "delivered")
    assert [item["text"] for item in await shop.inbox(omar, 2, 40)] == ["uno", "dos"]
    await shot(page, "inbox-phone")
    await page.get_by_role("button", name="Ver contacto").click()
    await expect(page.get_by_role("dialog", name="Contacto y oportunidad")).to_contain_text("عمر")


async def test_what_an_agent_leaves_is_where_it_was_left(page: Page, context: BrowserContext, shop: Shop):
    eva = await shop.customer("Eva")
    first = await shop.writes(eva, "¿Abren mañana?")
    await sign_in(page, shop, *await colleague(shop, "Ana Ríos"))
    row = page.get_by_role("link", name="Eva")
    await row.click()
    await expect(box(page)).to_be_visible()
    await expect(row.get_by_label("1 mensaje sin leer")).to_be_hidden()

    # What happened stands between the messages, once, after the page was loaded anew too.
    story = page.get_by_test_id("happened")
    await key(page, "t")
    await expect(story).to_contain_text(["Ana Ríos tomó el chat"])
    await key(page, "e")
    happened = ["Ana Ríos tomó el chat", "Chat cerrado (por Ana Ríos)"]
    await expect(story).to_contain_text(happened)
    await page.reload()
    await expect(story).to_contain_text(happened)
    await shop.writes(eva, "¿Siguen ahí?")
    happened.append("Chat abierto de nuevo")
    await expect(story).to_contain_text(happened)
    await expect(bubble(page, "¿Siguen ahí?")).to_be_visible()
    await expect(row.get_by_label("1 mensaje sin leer")).to_be_hidden()

    # What a message said before.
    about = {"to": shop.number, "kind": "edit", "about": first, "text": "¿Abren el lunes?"}
    await shop.network.ask("POST", f"/phones/{eva}/kinds", about)
    edited = bubble(page, "¿Abren el lunes?").get_by_role("button", name="editado")
    await edited.click()
    await expect(page.get_by_test_id("former")).to_contain_text("¿Abren mañana?")
    await shot(page, "inbox-edited")
    await page.keyboard.press("Escape")
    await expect(edited).to_be_focused()

    # A file for later, with words.
    await page.get_by_test_id("files").set_input_files({"name": "menú.jpg", "mimeType": "image/jpeg", "buffer": picture()})
    await expect(page.get_by_test_id("attached")).to_have_attribute("data-ready", "true")
    await box(page).fill("El menú")
    await page.get_by_role("button", name="Adjuntar").click()
    await page.get_by_role("menuitem", name="Programar").click()
    await page.get_by_role("dialog", name="Programar").get_by_role("button", name=re.compile("Mañana")).click()
    await expect(page.get_by_test_id("attached")).to_be_hidden()
    await page.get_by_role("button", name="1 mensaje programado").click()
    await expect(page.get_by_test_id("scheduled")).to_have_text("menú.jpg · El menú")
    await shot(page, "inbox-later")
    await page.get_by_role("button", name="Cancelar el envío programado").click()
    await expect(page.get_by_test_id("scheduled")).to_be_hidden()

    # Marked as unread for herself: the chat is left, and her phone shows it too, until she reads it there.
    phone = await context.new_page()
    await phone.set_viewport_size({"width": 390, "height": 780})
    await phone.goto(f"{shop.system.url}/inbox")
    there = phone.get_by_role("link", name="Eva")
    await expect(there).to_be_visible()
    await key(page, "Shift+U")
    await expect(page).to_have_url(re.compile(r"/inbox$"))
    for one in (row, there):
        await expect(one.get_by_role("img", name="Marcado como no leído")).to_be_visible()
    await shot(page, "inbox-unread")
    await there.click()
    await expect(phone.get_by_test_id("happened")).to_contain_text(happened)
    await shot(phone, "inbox-story-phone")
    await expect(row.get_by_role("img", name="Marcado como no leído")).to_be_hidden()

    # The filters give the focus back.
    filters = page.get_by_role("button", name="Filtros")
    await filters.click()
    await expect(page.get_by_role("switch", name="Solo no leídos")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("switch", name="Solo no leídos")).to_be_hidden()
    await expect(filters).to_be_focused()

    # Who is blocked meanwhile is said to be where one would write, with the way out.
    [chat] = (await shop.client.get("/api/chats"))["items"]
    await shop.client.post(f"/api/contacts/{chat['contact']['id']}/block")
    blocked = phone.get_by_test_id("blocked")
    await expect(blocked).to_contain_text("Este contacto está bloqueado")
    await shot(phone, "inbox-blocked-phone")
    await blocked.get_by_role("button", name="Desbloquear").click()
    await expect(blocked).to_be_hidden()
    await expect(phone.get_by_role("button", name="Grabar nota de voz")).to_be_enabled()
