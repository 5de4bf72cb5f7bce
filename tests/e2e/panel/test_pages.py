"""Every page of the panel, whatever it is: in both appearances and every width nothing is out of reach of anybody."""

import re
import secrets
from pathlib import Path
from typing import Any

import pytest
from clarin.browser import DOORS, routes
from clarin.client import eventually
from clarin.testing import Shop
from playwright.async_api import BrowserContext, Page

pytestmark = pytest.mark.timeout(300)

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
RUN = """async (options) => {
  const found = await axe.run(document, {resultTypes: ["violations"], ...options});
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
    email, password = f"eva-{secrets.token_hex(5)}@example.com", "una-persona-muy-curiosa"
    await shop.client.post("/api/auth/users", {"email": email, "name": "Eva", "role": "admin", "password": password})
    entered = await context.request.post(
        f"{shop.system.url}/api/auth/login", data={"email": email, "password": password, "session": "cookie"}
    )
    assert entered.ok
    await walk(rooms)
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong)
