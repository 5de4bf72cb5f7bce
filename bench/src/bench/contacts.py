"""A list of contacts in and out: rows a second, and what that takes of memory, against the whole installation."""

import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from aiohttp import FormData
from clarin.client import Client
from clarin.testing import System, start, stop

from bench.footprint import Footprint

_WITHIN = 900.0
_LOOK = 0.25


async def run(*, rows: int) -> dict[str, Any]:
    """Measure a list of *rows*: brought, tried, taken in, taken in again, and taken away as CSV and as XLSX."""
    folder = Path(tempfile.mkdtemp(prefix="clarin-bench-contacts-"))
    system = await asyncio.to_thread(start, folder, "--workers", "0")
    try:
        async with system.owner() as client:
            return await _measure(system, client, rows)
    finally:
        await asyncio.to_thread(stop, system)


async def _measure(system: System, client: Client, rows: int) -> dict[str, Any]:
    before = _memory(system)
    peak = [before]
    watching = asyncio.create_task(_watch(system, peak))
    try:
        data = "name,phone,email,tags\n" + "".join(
            f"Cliente {n},+55119{20_000_000 + n:08d},c{n}@example.com,Lista {n % 20}\n" for n in range(rows)
        )
        began = time.monotonic()
        form = FormData()
        form.add_field("file", data.encode(), filename="lista.csv")
        status, _, body = await client.raw("POST", "/api/contacts/imports", data=form, headers={"idempotency-key": "bench"})
        if status != 201:
            raise RuntimeError(f"The list was not taken: {status} {body!r}")
        id = json.loads(body)["id"]
        brought = time.monotonic() - began
        tried, _ = await _done(client, id, "check", "checked")
        first, counts = await _done(client, id, "start", "done")
        again, same = await _done(client, id, "start", "done")
        csv_seconds, csv_rows = await _export(client, "csv")
        xlsx_seconds, _ = await _export(client, "xlsx")
    finally:
        watching.cancel()
    done = min(counts["new"], same["unchanged"], csv_rows)
    return {
        "rows": rows,
        "upload_s": round(brought, 2),
        "check_rows_per_s": round(rows / tried),
        "import_rows_per_s": round(rows / first),
        "again_rows_per_s": round(rows / again),
        "export_csv_rows_per_s": round(rows / csv_seconds),
        "export_xlsx_rows_per_s": round(rows / xlsx_seconds),
        "rss_before_mb": round(before, 1),
        "rss_peak_mb": round(max(peak), 1),
        "rss_growth_mb": round(max(peak) - before, 1),
        "asked": rows,
        "done": done,
    }


async def _done(client: Client, id: str, what: str, state: str) -> tuple[float, dict[str, Any]]:
    """Begin it and wait until it is over; give the seconds and the counts."""
    began = time.monotonic()
    await client.post(f"/api/contacts/imports/{id}/{what}", {})
    while time.monotonic() - began < _WITHIN:
        one = await client.get(f"/api/contacts/imports/{id}")
        if one["state"] == state:
            return time.monotonic() - began, dict(one["counts"])
        if one["state"] == "failed":
            raise RuntimeError(f"The list failed: {one['reason']} {one['detail']}")
        await asyncio.sleep(_LOOK)
    raise TimeoutError("The list is not done.")


async def _export(client: Client, format: str) -> tuple[float, int]:
    began = time.monotonic()
    status, _, body = await client.raw("GET", f"/api/contacts/export?format={format}")
    if status != 200:
        raise RuntimeError(f"The export answered {status}.")
    return time.monotonic() - began, body.count(b"\n") - 1


async def _watch(system: System, peak: list[float]) -> None:
    while True:
        peak.append(await asyncio.to_thread(_memory, system))
        await asyncio.sleep(_LOOK)


def _memory(system: System) -> float:
    """Megabytes of the service with the processes that read and write for it."""
    return sum(Footprint.of_family(pid).rss_mb for name, pid in system.pids().items() if name.startswith("conversations"))
