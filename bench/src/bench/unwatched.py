"""A browser that no debugger watches: what one keeps of each answer would be counted with what the page keeps."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import psutil
from clarin.browser import FLAGS, Chromium
from clarin.client import eventually
from servicekit.embedded.ports import free_port

#: A page that nobody sees is drawn and told the time as one that somebody sees.
_SEEN = ("--disable-background-timer-throttling", "--disable-backgrounding-occluded-windows", "--disable-renderer-backgrounding")
_START_SECONDS = 30.0


class Watch:
    """One page; it is asked over a connection that is there for that moment alone."""

    def __init__(self, http: aiohttp.ClientSession, page: str, process: psutil.Process) -> None:
        self._http = http
        self._page = page
        self._process = process

    async def value(self, expression: str) -> Any:
        """Evaluate it in the page."""
        [told] = await self._ask(("Runtime.evaluate", {"expression": expression, "returnByValue": True}))
        return told["result"].get("value")

    async def held(self) -> tuple[int, int]:
        """Read the bytes of the page's heap after a collection of garbage, and of its whole process."""
        _, used = await self._ask(("HeapProfiler.collectGarbage", {}), ("Runtime.getHeapUsage", {}))
        return int(used["usedSize"]), self._resident()

    async def _ask(self, *calls: tuple[str, dict[str, Any]]) -> list[Any]:
        answers = []
        async with self._http.ws_connect(self._page, max_msg_size=0) as socket:
            for number, (method, params) in enumerate(calls, 1):
                await socket.send_json({"id": number, "method": method, "params": params})
                while (told := await socket.receive_json()).get("id") != number:
                    pass
                answers.append(told["result"])
        return answers

    def _resident(self) -> int:
        sizes = [0]
        for process in self._process.children(recursive=True):
            with suppress(psutil.Error):
                if "--type=renderer" in process.cmdline():
                    sizes.append(process.memory_info().rss)
        return max(sizes)


@asynccontextmanager
async def unwatched(chromium: Chromium, profile: str, address: str, *, wide: int, high: int) -> AsyncIterator[Watch]:
    """Open *address* in a browser of its own with the cookies of *profile*, a folder that no other browser has open.

    Raises: TimeoutError: it did not start.
    """
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        chromium.path,
        *FLAGS,
        *_SEEN,
        "--headless",
        f"--remote-debugging-port={port}",
        f"--user-data-dir={profile}",
        f"--window-size={wide},{high}",
        address,
        env={**os.environ, **chromium.environment},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with aiohttp.ClientSession() as http:
            page = await eventually(lambda: _page(http, port, address), _START_SECONDS, "The browser showed no page")
            yield Watch(http, page, psutil.Process(process.pid))
    finally:
        process.terminate()
        await process.wait()


async def _page(http: aiohttp.ClientSession, port: int, address: str) -> str | None:
    """Tell where a debugger reaches the page, once there is one."""
    try:
        async with http.get(f"http://127.0.0.1:{port}/json/list") as answer:
            pages = await answer.json()
    except aiohttp.ClientConnectionError:
        return None
    return next((one["webSocketDebuggerUrl"] for one in pages if one["type"] == "page" and one["url"].startswith(address)), None)
