"""Looks after services that have several addresses: who is about to end says so, and gets nothing more."""

import asyncio
import contextlib

import aiohttp

from gateway.upstream import Place, Pool

EVERY_S = 1.0
_ANSWER_S = 3.0


class Lookout:
    """Asks each address, again and again, whether it is ready; where a service has but one there is nothing to choose."""

    def __init__(self, pools: tuple[Pool, ...], *, every_s: float = EVERY_S) -> None:
        self._places = [(pool, place) for pool in pools if len(pool.places) > 1 for place in pool.places]
        self._every_s = every_s

    async def run(self, stopping: asyncio.Event) -> None:
        """Go on until *stopping*."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_ANSWER_S)) as http:
            while not stopping.is_set():
                await asyncio.gather(*(_look(http, pool, place) for pool, place in self._places))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), self._every_s)


async def _look(http: aiohttp.ClientSession, pool: Pool, place: Place) -> None:
    try:
        async with http.get(f"{place.url}/health/ready") as response:
            ready = response.status == 200
    except (OSError, aiohttp.ClientError, TimeoutError):
        ready = False
    pool.told(place, ready=ready)
