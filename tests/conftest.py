"""One installation for all journeys and all attacks, started as a user starts it."""

import json
import os
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import pytest
from clarin.client import Client
from clarin.testing import Shop, System, start, stop
from sim.testing import Api as Network

#: Files of more than half a minute: a long one that is left for the end keeps everybody waiting. Two that start many processes follow
#: each other.
LONG = (
    "fleet/test_faults.py",
    "e2e/test_nothing_lost.py",
    "security/test_openapi.py",
    "security/test_isolation.py",
    "e2e/test_rolling.py",
    "panel/test_pages.py",
    "panel/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the files so that the long ones are begun first."""
    items.sort(key=lambda item: next((place for place, name in enumerate(LONG) if name in item.path.as_posix()), len(LONG)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A journey that failed says what its installation warned of meanwhile."""
    report = yield
    if report.failed:
        given = getattr(item, "funcargs", {}).values()
        for system in {id(found): found for one in given if isinstance(found := getattr(one, "system", one), System)}.values():
            report.sections.append(("what the installation warned of", system.warned(call.start)))
    return report


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """An installation of our own, or the one that CLARIN_E2E_READY, a file as `clarin up --ready-file` writes it, leads to."""
    if elsewhere := os.environ.get("CLARIN_E2E_READY"):
        ready = Path(elsewhere)
        yield System(ready.parent, None, json.loads(ready.read_text()))
        return
    running = start(tmp_path_factory.mktemp("installation"), "--workers", "1")
    yield running
    stop(running)


@pytest.fixture
async def network(system: System) -> AsyncIterator[Network]:
    async with system.network() as network:
        yield network


@pytest.fixture
async def owner(system: System) -> AsyncIterator[Client]:
    async with system.owner() as client:
        yield client


@pytest.fixture
async def shop(system: System, network: Network, owner: Client) -> Shop:
    number = await system.phone(network, "Café Luna")
    device = (await owner.add_device("Ventas"))["id"]
    await owner.pair(device, network, number)
    return Shop(owner, network, system, device, number)
