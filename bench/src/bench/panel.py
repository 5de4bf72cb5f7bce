"""The panel in a real browser: what a first visit loads, how soon it answers with many chats, and whether it keeps growing."""

import asyncio
import gzip
import os
import secrets
import time
from tempfile import TemporaryDirectory
from typing import Any

from clarin.browser import FLAGS, Chromium, find
from clarin.client import Client, eventually
from clarin.seed.command import run as seed
from clarin.testing import System
from playwright.async_api import Page, Response, async_playwright, expect
from rich.console import Console
from sim.testing import Api as Network

from bench.figures import percentile
from bench.installation import fleet, installation
from bench.unwatched import unwatched

#: The browser tells of no interaction that was painted sooner: it counts as this.
_SOONEST_MS = 16.0
_CUSTOMERS = 20
_WIDE, _HIGH = 1280, 800
#: How often memory is read from the first to the last message.
_PARTS = 12
#: What the page itself saw, as Interaction to Next Paint counts it; and how far its frames were apart.
_OBSERVE = """() => {
  window.clarinSeen = [];
  window.clarinFrames = [];
  const see = (entries) => {
    for (const entry of entries) if (entry.interactionId) window.clarinSeen.push(entry.duration);
  };
  const observer = new PerformanceObserver((list) => see(list.getEntries()));
  observer.observe({type: "event", durationThreshold: 16});
  // What has been measured and not been told yet counts for the interaction that it was, not for the next one.
  window.clarinTold = () => see(observer.takeRecords());
  let last = performance.now();
  const frame = (now) => { window.clarinFrames.push(now - last); last = now; requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
}"""
_TAKE = "name => { window.clarinTold(); const taken = window[name]; window[name] = []; return taken; }"
#: Two frames later whatever was asked for has been painted.
_PAINTED = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
_MESSAGES = "document.querySelectorAll('[data-testid=message]').length"
_ROW = "a[href^='/inbox/cht_']"


async def run(*, chats: int, messages: int, interactions: int, minutes: float, rate: float) -> dict[str, Any]:
    """Measure the panel of an account with *chats* chats, then for *minutes* while *rate* messages a second come in."""
    email, password = f"bench-{secrets.token_hex(6)}@example.com", f"bench-horse-{secrets.token_hex(6)}"
    chromium = find()
    async with installation(workers=1) as system, Client(system.url) as owner, system.network() as network, async_playwright() as driver:
        await owner.register(email, password)
        [(_, device, number)] = await fleet(system, network, [owner], 1)
        await owner.ask("PATCH", f"/api/devices/{device}/settings", {"pace": {"enabled": False}})
        quiet = Console(quiet=True)
        await seed(str(system.ready["postgres"]), quiet, chats=chats, messages=messages, tenants=1, email=email, seed=1, add=True)
        with TemporaryDirectory() as profile:
            browser = await driver.chromium.launch_persistent_context(
                profile,
                executable_path=chromium.path,
                args=list(FLAGS),
                env={**os.environ, **chromium.environment},
                locale="es-MX",
                viewport={"width": _WIDE, "height": _HIGH},
            )
            page = browser.pages[0]
            page.set_default_timeout(60_000)
            result = {"chats": chats, "messages": messages, "script_kb_gzip": await _first_load(page, system, email, password)}
            result |= await _interactions(page, interactions)
            await browser.close()
            result |= await _memory(chromium, profile, system, owner, network, number, minutes=minutes, rate=rate)
    return result


async def _first_load(page: Page, system: System, email: str, password: str) -> float:
    """Sign in; the kilobytes of script, as they travel, that it takes until the first chats are there."""
    scripts: list[Response] = []
    page.on("response", lambda answer: scripts.append(answer) if answer.request.resource_type == "script" else None)
    await page.goto(f"{system.url}/login")
    await page.get_by_label("Correo").fill(email)
    await page.get_by_label("Contraseña").fill(password)
    await page.get_by_role("button", name="Entrar").click()
    await expect(page.locator(_ROW).first).to_be_visible(timeout=60_000)
    # What was asked for ahead and then used was answered twice, and travelled once.
    bodies = [await answer.body() for answer in {answer.url: answer for answer in list(scripts)}.values()]
    return round(sum(len(gzip.compress(body, 6)) for body in bodies) / 1000, 1)


async def _interactions(page: Page, count: int) -> dict[str, Any]:
    """Open chats, scroll and filter, each *count* times: milliseconds from the event to the next paint."""
    await page.evaluate(_OBSERVE)
    seen: dict[str, list[float]] = {"open": [], "filter": []}
    box = await page.locator(_ROW).first.bounding_box()
    if box is None:
        raise RuntimeError("The list of chats is not on the screen.")

    async def told(kind: str) -> None:
        await page.evaluate(_PAINTED)
        seen[kind].append(max([_SOONEST_MS, *(await page.evaluate(_TAKE, "clarinSeen"))]))

    for turn in range(count):
        rows = page.locator(_ROW)
        await rows.nth(turn % min(8, await rows.count())).click()
        await told("open")
    await page.evaluate(_TAKE, "clarinFrames")
    await page.mouse.move(box["x"] + 40, box["y"] + 40)
    for _ in range(count * 3):
        await page.mouse.wheel(0, 900)
        await page.evaluate(_PAINTED)
    frames = await page.evaluate(_TAKE, "clarinFrames")
    search = page.get_by_role("searchbox").first
    await search.click()
    for turn in range(count):
        await search.press("abcdeilmnorst"[turn % 13] if turn % 3 else "Backspace")
        await told("filter")
    await search.fill("")
    every = seen["open"] + seen["filter"]
    return {
        "inp_ms": {"p50": percentile(every, 0.5), "p95": percentile(every, 0.95)},
        "open_p95_ms": percentile(seen["open"], 0.95),
        "filter_p95_ms": percentile(seen["filter"], 0.95),
        "scroll_frame_p95_ms": round(percentile(frames, 0.95), 1),
        "asked": 2 * count,
        "done": len(every),
    }


async def _memory(
    chromium: Chromium, profile: str, system: System, owner: Client, network: Network, number: str, *, minutes: float, rate: float
) -> dict[str, Any]:
    """Megabytes that the page holds on to, and that its process takes, while for *minutes* *rate* messages a second come in."""
    customers = [await system.phone(network, f"Cliente {index}") for index in range(_CUSTOMERS)]
    sent = 0

    async def write(until: float) -> None:
        nonlocal sent
        began, before = time.monotonic(), sent
        while time.monotonic() < until:
            due = before + int((time.monotonic() - began) * rate) + 1
            await asyncio.gather(*(network.write(customers[index % _CUSTOMERS], number, f"mensaje {index}") for index in range(sent, due)))
            sent = max(sent, due)
            await asyncio.sleep(1 / rate)

    # One of the chats that grow is open.
    await write(time.monotonic() + 2.0)
    [chat, *_] = (await owner.get("/api/chats", limit="1"))["items"]
    async with unwatched(chromium, profile, f"{system.url}/inbox/{chat['id']}", wide=_WIDE, high=_HIGH) as watch:
        await eventually(lambda: watch.value(_MESSAGES), 60, "The open chat showed no message")
        # What is warm is measured, not what is being warmed.
        await write(time.monotonic() + min(60.0, minutes * 15))
        taken = [await watch.held()]
        began = time.monotonic()
        for part in range(1, _PARTS + 1):
            await write(began + minutes * 60 * part / _PARTS)
            taken.append(await watch.held())
        took = time.monotonic() - began
    heap, resident = [[round(each / 1_000_000, 1) for each in some] for some in zip(*taken, strict=True)]
    return {
        "written": sent,
        "heap_mb": heap,
        "process_mb": resident,
        "heap_growth_mb_per_hour": round((heap[-1] - heap[0]) / took * 3600, 1),
        "process_growth_mb_per_hour": round((resident[-1] - resident[0]) / took * 3600, 1),
    }
