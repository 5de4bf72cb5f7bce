from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from servicekit.db import Database
from servicekit.testing.databases import Urls

MIGRATIONS = Path(__file__).parents[1] / "migrations"


@pytest.fixture
def urls(provisioned: Callable[[str, Path], Urls]) -> Urls:
    return provisioned("devices", MIGRATIONS)


@pytest_asyncio.fixture
async def db(urls: Urls) -> AsyncIterator[Database]:
    async with Database.open(urls.service_url, application="test", pool=4) as database:
        yield database


@pytest_asyncio.fixture
async def system_db(urls: Urls) -> AsyncIterator[Database]:
    async with Database.open(urls.system_url, application="test-system", pool=8) as database:
        yield database
