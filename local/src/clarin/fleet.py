"""`clarin workers` and `clarin devices`: who holds which sessions, and how every number stands."""

import json
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec
from contracts import ids
from contracts.errors import Problem
from device_worker import fleet
from device_worker.fleet import Fleet, Worker
from device_worker.shards import Report
from rich.console import Console
from rich.table import Table
from servicekit.bus import Bus

from clarin.folder import Running

_WORKERS = (
    "worker",
    "state",
    "sessions",
    "of",
    "shards",
    "whatsapp",
    "memory",
    "threads",
    "files",
    "db",
    "journal",
    "sends",
    "lost?",
    "since",
)
_DEVICES = ("number", "account", "name", "state", "reason", "phone", "worker", "changed")


async def workers(running: Running, console: Console, *, as_json: bool) -> None:
    """Print every live worker, and how many shards nobody has."""
    async with _bus(running) as bus:
        found = await Fleet.read(bus)
    if as_json:
        print(json.dumps({"workers": [_described(worker) for worker in found.workers], "shards_unowned": _unowned(found)}))
        return
    table = _table(_WORKERS)
    for worker in found.workers:
        report = worker.entry.report or Report()
        table.add_row(
            worker.entry.worker,
            worker.state,
            str(report.sessions.get("connected", 0)),
            f"{sum(report.sessions.values())}/{worker.entry.capacity}",
            str(worker.shards),
            report.connects + (f" ({report.waiting} wait)" if report.waiting else ""),
            f"{report.rss_mb:.0f} MB",
            str(report.threads),
            str(report.files),
            str(report.db_connections),
            f"{report.journal_bytes} B",
            f"{report.sends_waiting}" + (f" ({report.sends_oldest_seconds:.0f} s)" if report.sends_waiting else ""),
            ", ".join(f"{cause} {count}" for cause, count in report.loss_windows.items()),
            _ago(report.started_at),
        )
    console.print(table if table.row_count else "No worker runs.")
    if unowned := _unowned(found):
        console.print(f"[red]{unowned} of 128 shards have no worker: their numbers are not served.[/]")


async def drain(running: Running, console: Console, worker: str, *, back: bool) -> bool:
    """Have a worker give all its shards away, or (*back*) take its share again; False when it cannot."""
    async with _bus(running) as bus:
        try:
            found = await (fleet.undrain if back else fleet.drain)(bus, worker)
        except Problem as problem:
            console.print(f"[red]{problem}[/]", highlight=False, soft_wrap=True)
            return False
    console.print(f"{found.entry.worker}: {found.state}")
    return True


async def devices(running: Running, console: Console, *, state: str | None, as_json: bool) -> None:
    """Print every number of every account, those first that are not connected; or those alone that stand as *state*."""
    connection = await asyncpg.connect(running.postgres)
    try:
        rows = await connection.fetch(
            "select d.id, d.tenant, d.name, d.state, d.wanted, d.reason, d.phone, d.shard, d.changed_at, s.worker from devices.devices d "
            "left join devices.shards s using (shard) where d.wanted <> 'deleted' and ($1::text is null or d.state = $1) "
            "order by d.state = 'connected', d.tenant, d.id",
            state,
        )
    finally:
        await connection.close()
    if as_json:
        print(json.dumps([_number(row) for row in rows]))
        return
    table = _table(_DEVICES)
    for row in rows:
        number = _number(row)
        table.add_row(
            *(str(number[key] or "") for key in ("id", "account", "name", "state", "reason", "phone", "worker")), _ago(row["changed_at"])
        )
    console.print(table if table.row_count else "There are no numbers.")


def _bus(running: Running) -> Any:
    return Bus.open(running.nats, name="clarin-fleet")


def _described(worker: Worker) -> dict[str, Any]:
    report: dict[str, Any] = msgspec.to_builtins(worker.entry.report or Report())
    return {"id": worker.entry.worker, "state": worker.state, "shards": worker.shards, "capacity": worker.entry.capacity, **report}


def _number(row: Any) -> dict[str, Any]:
    kept = {key: row[key] for key in ("name", "state", "wanted", "reason", "phone", "shard", "worker")}
    return {
        "id": ids.public(ids.DEVICE, row["id"]),
        "account": ids.public(ids.ACCOUNT, row["tenant"]),
        **kept,
        "changed_at": row["changed_at"].isoformat(),
    }


def _unowned(found: Fleet) -> int:
    return sum(shard.owner is None for shard in found.shards)


def _ago(at: datetime | None) -> str:
    if at is None:
        return ""
    seconds = int((datetime.now(UTC) - at).total_seconds())
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{max(seconds, 0)} s ago"


def _table(headings: tuple[str, ...]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    return table
