"""The account, its people, keys and record in a real browser: what an owner sets is felt by whom it concerns."""

import email
import email.policy
import re
import secrets
from typing import Any

import pytest
from clarin.client import Client, eventually
from clarin.testing import System
from playwright.async_api import BrowserContext, Page, expect

from .pictures import shot

pytestmark = pytest.mark.timeout(180)

PASSWORD = "un-caballo-muy-correcto"
expect.set_options(timeout=20_000)  # on a busy machine a page takes its time


def new_email(name: str) -> str:
    return f"{name}-{secrets.token_hex(5)}@example.com"


@pytest.fixture
async def ana(system: System) -> Any:
    """The owner of a fresh account, whose password is known."""
    async with Client(system.url) as client:
        await client.register(new_email("ana"), PASSWORD, name="Ana", account="Panadería Sol")
        yield client


async def sign_in(page: Page, system: System, address: str, password: str = PASSWORD, *, then: str = "/settings/account") -> None:
    await page.goto(f"{system.url}/login")
    await page.get_by_label("Correo").fill(address)
    await page.get_by_label("Contraseña").fill(password)
    await page.get_by_role("button", name="Entrar").click()
    await expect(page.get_by_role("heading", name="Chats")).to_be_visible()
    if then != "/settings/account":
        await page.goto(f"{system.url}{then}")
        return
    await page.get_by_role("link", name="Ajustes").click()
    await expect(page.get_by_role("heading", name="La cuenta")).to_be_visible()


async def another(context: BrowserContext) -> Page:
    """A page in a browser of somebody else."""
    assert context.browser
    other = await context.browser.new_context(locale="es-MX", viewport={"width": 1280, "height": 800})
    return await other.new_page()


async def test_who_is_invited_joins_by_the_link_and_sees_what_was_chosen_for_them(
    page: Page, context: BrowserContext, system: System, ana: Client
):
    team = await ana.post("/api/teams", {"name": "Ventas", "members": []}, key="team")
    await sign_in(page, system, ana.me["user"]["email"], then="/settings/people")
    await page.get_by_role("button", name="Invitar").click()
    await page.get_by_role("combobox", name="Equipos").click()
    await page.get_by_role("option", name="Ventas").click()
    await page.keyboard.press("Escape")
    await page.get_by_text("De sus equipos", exact=True).click()
    await shot(page, "settings-invite", whole=True)
    await page.get_by_role("button", name="Crear invitación").click()
    link = (await page.get_by_test_id("shown-once").text_content() or "").strip()
    assert link.startswith(f"{system.url}/invite?code=")
    await shot(page, "settings-invited", whole=True)
    await page.get_by_role("button", name="Listo").click()
    await expect(page.get_by_text("Quien tenga el enlace")).to_be_visible()

    guest = await another(context)
    await guest.goto(link)
    await expect(guest.get_by_role("heading", name="Únete a Panadería Sol")).to_be_visible()
    await expect(guest.get_by_text("Entrarás como: Agente")).to_be_visible()
    await shot(guest, "join")
    address = new_email("beto")
    await guest.get_by_label("Tu nombre").fill("Beto")
    await guest.get_by_label("Correo").fill(address)
    await guest.get_by_label("Contraseña").fill(PASSWORD)
    await guest.get_by_role("button", name="Unirme").click()
    await expect(guest.get_by_role("heading", name="Chats")).to_be_visible()
    await guest.goto(link)
    await expect(guest.get_by_role("alert")).to_contain_text("Esta invitación ya se usó")
    await guest.goto(f"{system.url}/settings/people")
    await expect(guest.get_by_role("article", name="Beto")).to_be_visible()
    await expect(guest.get_by_role("button", name="Invitar")).to_be_hidden()
    await expect(guest.get_by_role("tab", name="Claves de API")).to_be_hidden()

    await page.reload()
    beto = page.get_by_role("article", name="Beto")
    await expect(beto).to_contain_text("De sus equipos")
    await expect(beto).to_contain_text("Ventas")
    await beto.get_by_role("button", name="Acciones de Beto").click()
    await page.get_by_role("menuitem", name="Editar").click()
    await page.get_by_text("Solo los suyos", exact=True).click()
    await page.get_by_label("Todos los números").uncheck()
    await shot(page, "settings-person", whole=True)
    await page.get_by_role("button", name="Guardar").click()
    await expect(beto).to_contain_text("0 números · Solo los suyos")
    [user] = [user for user in (await ana.get("/api/users"))["items"] if user["email"] == address]
    assert (user["devices"], user["chats"], user["teams"]) == ([], "own", [team["id"]])
    await shot(page, "settings-people", whole=True)

    await beto.get_by_role("button", name="Acciones de Beto").click()
    await page.get_by_role("menuitem", name="Desactivar").click()
    await page.get_by_role("dialog").get_by_role("button", name="Desactivar").click()
    await expect(beto).to_contain_text("Desactivado")
    await guest.goto(f"{system.url}/inbox")
    await expect(guest.get_by_role("heading", name="Entrar")).to_be_visible(timeout=15_000)
    await guest.context.close()


async def test_a_key_is_shown_once_works_is_rotated_and_revoked(page: Page, system: System, ana: Client):
    await sign_in(page, system, ana.me["user"]["email"], then="/settings/keys")
    await page.get_by_role("button", name="Crear clave").click()
    await page.get_by_label("Nombre").fill("Tienda en línea")
    await page.get_by_label("Enviar").check()
    await shot(page, "settings-key", whole=True)
    await page.get_by_role("button", name="Crear", exact=True).click()
    first = (await page.get_by_test_id("shown-once").text_content() or "").strip()
    assert first.startswith("clk_")
    await page.get_by_role("button", name="Listo").click()
    row = page.get_by_role("article", name="Tienda en línea")
    await expect(row).to_contain_text("sin usar")
    async with Client(system.url) as program:
        assert await called(program, first) == 200
        await row.get_by_role("button", name="Acciones de Tienda en línea").click()
        await page.get_by_role("menuitem", name="Cambiar el secreto").click()
        await page.get_by_role("combobox", name="El secreto de ahora sirve").click()
        await page.get_by_role("option", name="Ni un momento más").click()
        await page.get_by_role("button", name="Cambiar el secreto").click()
        second = (await page.get_by_test_id("shown-once").text_content() or "").strip()
        assert second != first
        await page.get_by_role("button", name="Listo").click()
        assert await called(program, second) == 200
        await eventually(lambda: refused(program, first), 15, "the former secret works")
        await page.reload()
        await expect(row).to_contain_text("usada")
        await shot(page, "settings-keys", whole=True)
        await row.get_by_role("button", name="Acciones de Tienda en línea").click()
        await page.get_by_role("menuitem", name="Revocar").click()
        await page.get_by_role("dialog").get_by_role("button", name="Revocar").click()
        await expect(row).to_be_hidden()
        await eventually(lambda: refused(program, second), 15, "the revoked key works")


async def called(program: Client, secret: str) -> int:
    status, _, _ = await program.raw("GET", "/api/chats", headers={"X-Api-Key": secret})
    return status


async def refused(program: Client, secret: str) -> bool:
    return await called(program, secret) == 401


async def test_a_forgotten_password_is_set_anew_from_the_mail(page: Page, system: System, ana: Client):
    address = ana.me["user"]["email"]
    await page.goto(f"{system.url}/login")
    await page.get_by_role("link", name="¿Olvidaste tu contraseña?").click()
    await expect(page.get_by_role("heading", name="Recuperar el acceso")).to_be_visible()  # the page before has such a field too
    await page.get_by_label("Correo").fill(address)
    await page.get_by_role("button", name="Enviar el enlace").click()
    await expect(page.get_by_role("status")).to_contain_text("el enlace ya va en camino")
    await shot(page, "forgot", whole=True)

    async def mailed() -> str | None:
        for file in (system.folder / "data" / "mail").glob("*.eml"):
            message = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
            if message["To"] == address and (found := re.search(r"http\S+/reset\?token=\S+", message.get_content())):
                return found[0]
        return None

    link = await eventually(mailed, 30, "no mail")
    assert link.startswith(system.url)
    await page.goto(link)
    await page.get_by_label("Contraseña nueva").fill("otra-frase-muy-larga")
    await page.get_by_label("Repítela").fill("otra-frase-distinta")
    await page.get_by_role("button", name="Cambiar la contraseña").click()
    await expect(page.get_by_text("No es la misma.")).to_be_visible()
    await page.get_by_label("Repítela").fill("otra-frase-muy-larga")
    await shot(page, "reset", whole=True)
    await page.get_by_role("button", name="Cambiar la contraseña").click()
    await expect(page.get_by_role("status")).to_contain_text("Tu contraseña cambió")
    await sign_in(page, system, address, "otra-frase-muy-larga")


async def test_the_account_shows_its_limits_its_sessions_and_who_did_what(page: Page, system: System, ana: Client):
    lead, gone = [await ana.post("/api/leads", {"title": title}, key=title) for title in ("Mesas", "Sillas")]
    await ana.ask("DELETE", f"/api/leads/{gone['id']}")
    await ana.post("/api/tasks", {"lead_id": lead["id"], "title": "Llamar", "due_at": "2026-01-02T03:04:05Z"}, key="task")
    await ana.add_device("Caja")
    await sign_in(page, system, ana.me["user"]["email"])
    await expect(page.get_by_label("Límites")).to_contain_text("Sin límite")
    await page.get_by_label("Nombre de la empresa").fill("Panadería Luna")
    await page.get_by_role("button", name="Guardar").click()
    await expect(page.get_by_text("Guardado")).to_be_visible()
    sessions = page.get_by_role("region", name="Dónde entraste")
    await expect(sessions.get_by_role("article")).to_have_count(2)
    await expect(sessions.get_by_role("article").first).to_contain_text("Aquí")
    await shot(page, "settings-account", whole=True)
    await sessions.get_by_role("button", name="Cerrar").click()
    await expect(sessions.get_by_role("article")).to_have_count(1)

    await page.get_by_role("tab", name="Actividad").click()
    lines = page.get_by_role("region", name="Actividad").get_by_role("article")
    await expect(lines.filter(has_text="cambió la cuenta")).to_have_count(1, timeout=15_000)
    await shot(page, "settings-activity", whole=True)

    # A line leads to what it is about, unless that is gone.
    made = lines.filter(has_text="creó una oportunidad")
    await expect(made).to_have_count(2)
    await expect(made.get_by_role("link")).to_have_count(1)
    await made.get_by_role("link").click()
    await expect(page.get_by_role("dialog", name="Mesas").get_by_text("Vencida")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("lead")).to_contain_text("1 tarea pendiente, vencida")
    await page.go_back()
    await page.go_back()
    await lines.filter(has_text="agregó un número").get_by_role("link").click()
    await expect(page.get_by_role("dialog", name="Caja")).to_be_visible()
    await page.go_back()
    await page.get_by_role("combobox", name="Qué").click()
    await page.get_by_role("option", name="Entradas").click()
    await expect(lines.filter(has_text="cambió la cuenta")).to_have_count(0)
    await expect(lines.filter(has_text="sesión cerrada desde otro lugar")).to_have_count(1)
    assert all(str(kind).startswith("session.") for kind in await lines.evaluate_all("all => all.map(line => line.dataset.kind)"))
    await page.set_viewport_size({"width": 360, "height": 740})
    for part in ("account", "people", "keys", "activity"):
        await page.goto(f"{system.url}/settings/{part}")
        await expect(page.get_by_role("tab", selected=True)).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360, part
    await shot(page, "phone-settings", whole=True)
