"""A whole webhooks service on real servers in the test's own loop, and a receiver."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest_asyncio
from servicekit.bus import Bus
from webhooks.settings import WebhooksSettings

from .receiver import KEY, Receiver, receiving
from .world import World

MIGRATIONS = Path(__file__).parent.parent / "migrations"


@pytest_asyncio.fixture
async def bare(provisioned: Callable[..., Any], bus_url: str, bus: Bus, signed_in: Any) -> AsyncIterator[World]:
    """Everything but the service itself."""
    urls = provisioned("webhooks", MIGRATIONS)
    settings = WebhooksSettings(
        database_url=urls.service_url,
        system_database_url=urls.system_url,
        database_pool=8,
        nats_url=bus_url,
        cursor_secret="c" * 32,
        encryption_key=KEY,
        webhook_allow="127.0.0.0/8",
        webhook_timeout=1.5,
    )
    admin = await asyncpg.connect(urls.admin_url)
    await admin.execute("set search_path = webhooks")
    async with AsyncExitStack() as stack, aiohttp.ClientSession() as http:
        yield World(settings, bus, admin, signed_in, stack, http)
        await stack.aclose()
    await admin.close()


@pytest_asyncio.fixture
async def world(bare: World) -> World:
    """The service runs, in one replica."""
    await bare.replica()
    return bare


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as opened:
        yield opened
