"""`make screenshots`: every page of the panel, light and dark, on a laptop and on a phone, with a shop's everyday life in it."""

import argparse
import asyncio
import os
import re
import secrets
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.async_api import Browser, async_playwright
from rich.console import Console

from clarin.browser import DOORS, FLAGS, Chromium, find, routes
from clarin.client import Client
from clarin.demo import Credentials
from clarin.folder import Folder
from clarin.seed.command import run as seed
from clarin.testing import System, start, stop

SIZES = {"laptop": (1280, 800), "phone": (390, 780)}
SCHEMES = ("light", "dark")
#: The owner of the installation, who sees the pages in OPERATOR_PAGES.
OPERATOR = "operator@example.com"
OPERATOR_PAGES = ("/ops",)
#: What one picture may weigh.
MOST_BYTES = 60_000
READY = """() => document.querySelector("h1, h2") && !document.querySelector("[aria-busy=true]")
  && !document.getAnimations().some((one) => one.playState === "running" && one.effect.getTiming().iterations !== Infinity)"""
#: The page has taken over the appearance that was asked for.
DRESSED = "scheme => document.documentElement.dataset.mantineColorScheme === scheme"
#: Two frames later everything has been painted with it.
PAINTED = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))"

REPLIES = (
    ("hola", "¡Hola, {{contact.first_name}}! Soy {{agent.first_name}}, ¿en qué te ayudo?"),
    ("horario", "Atendemos de lunes a viernes de 9 a 18 h y los sábados de 10 a 14 h."),
    ("envio", "Enviamos a todo el país en 2 a 4 días hábiles. El envío es gratis desde 800 pesos."),
)
#: What a lead is worth (in minor units) and how far along it is.
LEADS = (
    ("Café para oficina, 10 kg al mes", 2_400_000, 0),
    ("Evento: 200 tazas", 850_000, 0),
    ("Molino y prensa", 320_000, 0),
    ("Cafetería La Esquina", 5_600_000, 1),
    ("Cesta de regalo x 30", 1_290_000, 1),
    ("Hotel Mirador", 9_800_000, 2),
    ("Tueste propio, muestra", 180_000, 2),
    ("Franquicia Puebla", 15_000_000, 3),
    ("Suscripción anual", 690_000, 4),
)


def main(arguments: list[str] | None = None) -> None:
    """Every picture is in the folder that was named; what was there of other pages is not any more, unless some were asked for."""
    parser = argparse.ArgumentParser(prog="make screenshots")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", metavar="PATH", help="Pages whose path begins so; the pictures of others stay.")
    asked = parser.parse_args(arguments)
    folder: Path = asked.folder
    only = tuple(asked.only or [""])
    folder.mkdir(parents=True, exist_ok=True)
    for old in [] if asked.only else folder.glob("*.webp"):
        old.unlink()
    with tempfile.TemporaryDirectory(prefix="clarin-screenshots-", ignore_cleanup_errors=True) as place:
        system = start(Path(place), "--workers", "1", "--demo")
        try:
            asyncio.run(take(system, folder, find(), only))
        finally:
            stop(system)


async def take(system: System, folder: Path, chromium: Chromium, only: tuple[str, ...] = ("",)) -> None:
    """The demo is furnished, and every page whose path begins with one of *only* has its pictures."""
    people = Credentials.of(Folder(system.folder / "data")).people
    owner = people[0]
    async with Client(system.url) as client:
        await client.login(owner.email, owner.password)
        await seed(
            str(system.ready["postgres"]), Console(quiet=True), chats=60, messages=900, tenants=1, email=owner.email, seed=1, add=True
        )
        known = await furnish(client)
    password = await asyncio.to_thread(operator, system)
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=chromium.path, args=list(FLAGS), env={**os.environ, **chromium.environment})
        for size, (width, height) in SIZES.items():
            people_of = dict.fromkeys(routes(), (owner.email, owner.password)) | dict.fromkeys(OPERATOR_PAGES, (OPERATOR, password))
            people_of = {route: who for route, who in people_of.items() if route.startswith(only)}
            await _pages(browser, system, folder, known, people_of, size, width, height)
        await browser.close()


def operator(system: System) -> str:
    """The installation has its owner; the password."""
    password = secrets.token_urlsafe(16)
    words = ["admin", "create", "--email", OPERATOR, "--name", "Operadora", "--data", str(system.folder / "data")]
    environment = {**os.environ, "CLARIN_ADMIN_PASSWORD": password}
    subprocess.run([sys.executable, "-m", "clarin", *words], env=environment, check=True, capture_output=True, timeout=60)
    return password


async def furnish(client: Client) -> dict[str, str]:
    """The shop has replies, hours, a bot, rules and a board; what stands in the addresses of pages."""
    known = {reply["shortcut"] for reply in (await client.get("/api/replies"))["items"]}
    for shortcut, text in (reply for reply in REPLIES if reply[0] not in known):
        await client.post("/api/replies", {"shortcut": shortcut, "text": text}, key=f"reply-{shortcut}")
    week = [{"day": day, "opens": "09:00", "closes": "18:00"} for day in range(5)] + [{"day": 5, "opens": "10:00", "closes": "14:00"}]
    christmas = {"date": f"{datetime.now(UTC).year}-12-25", "name": "Navidad"}
    hours = {"name": "Horario de atención", "everywhere": True, "weekly": week, "holidays": [christmas]}
    await client.post("/api/hours", hours, key="hours")
    rule: dict[str, Any] = {"name": "Todo cliente nuevo al embudo", "trigger": {"on": "first_message"}}
    rule["actions"] = [
        {"do": "make_lead", "title": "{contact}"},
        {"do": "make_task", "title": "Llamar", "due_minutes": 120},
        {"do": "notify", "note": "Cliente nuevo"},
    ]
    await client.post("/api/automations", rule, key="rule")
    webhook = await client.post("/api/webhooks", {"url": "https://example.com/clarin", "types": ["*"], "description": "Tienda"}, key="hook")
    board = await client.get("/api/pipeline")
    chats = (await client.get("/api/chats", limit="40"))["items"]
    closes = datetime.now(UTC) + timedelta(days=20)
    for index, (title, value, stage) in enumerate(LEADS):
        lead = {"title": title, "value": value, "stage_id": board["items"][stage]["id"], "chat_id": chats[index]["id"]}
        await client.post("/api/leads", {**lead, "expected_close": closes.date().isoformat()}, key=f"lead-{index}")
    first = chats[0]
    return {"$chatId": first["id"], "$id": webhook["id"], "$contactId": (first["contact"] or {}).get("id", "")}


async def _pages(
    browser: Browser,
    system: System,
    folder: Path,
    known: dict[str, str],
    people: dict[str, tuple[str, str]],
    size: str,
    width: int,
    height: int,
) -> None:
    context = await browser.new_context(
        locale="es-MX", timezone_id="America/Mexico_City", viewport={"width": width, "height": height}, reduced_motion="reduce"
    )
    page = await context.new_page()
    entered = None
    for route in sorted(people, key=lambda route: route not in DOORS):
        if route not in DOORS and entered != people[route]:
            entered = people[route]
            email, password = entered
            await context.clear_cookies()
            await context.request.post(f"{system.url}/api/auth/login", data={"email": email, "password": password, "session": "cookie"})
        await page.goto(system.url + re.sub(r"\$\w+", lambda found: known[found[0]], route))
        for scheme in SCHEMES:
            await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            await page.wait_for_load_state("networkidle")
            await page.wait_for_function(DRESSED, arg=scheme)
            await page.wait_for_function(READY)
            await page.evaluate(PAINTED)
            name = re.sub(r"\W+", "-", route.replace("$", "")).strip("-")
            (folder / f"{name}-{size}-{scheme}.webp").write_bytes(small(await page.screenshot()))
    await context.close()


def small(png: bytes) -> bytes:
    """The same picture as WebP, as well as it can be within MOST_BYTES."""
    image = Image.open(BytesIO(png)).convert("RGB")
    for quality in (80, 60, 40, 20):
        packed = BytesIO()
        image.save(packed, "WEBP", quality=quality, method=6)
        if packed.tell() <= MOST_BYTES:
            break
    return packed.getvalue()


if __name__ == "__main__":
    main()
