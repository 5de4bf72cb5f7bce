"""What a journey saw, for whoever wants to look."""

import re
from pathlib import Path

from playwright.async_api import Page

_FOLDER = Path(__file__).parents[3] / ".data" / "screenshots"


async def shot(page: Page, name: str, *, whole: bool = False) -> None:
    """A picture of the page, of all of its length where it is to be *whole*, is in ``.data/screenshots``."""
    _FOLDER.mkdir(parents=True, exist_ok=True)
    file = re.sub(r"[^\w-]+", "-", name).strip("-")
    await page.screenshot(path=_FOLDER / f"{file}.png", full_page=whole)
