"""Which benchmarks there are."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from bench import figures, inbound, inject, sessions

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on the last line.")]

Count = Annotated[int, typer.Option(min=5, max=2000, help="Connected numbers.")]
Workers = Annotated[int, typer.Option(min=1, max=16, help="Processes that hold them.")]
Folder = Annotated[Path | None, typer.Option("--folder", help="Keep the installation and its linked numbers there, for the next run.")]


@app.callback()
def benchmarks() -> None:
    """Measure a whole installation, started for it in a folder of its own."""


@app.command("inbound")
def inbound_(
    devices: Annotated[int, typer.Option(min=1, max=500, help="Connected numbers.")] = 20,
    rate: Annotated[float, typer.Option(min=0.1, max=10_000, help="Messages a second, all numbers together.")] = 50,
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="For how long.")] = 30,
    injected: Annotated[bool, typer.Option("--inject", help="Without whatsmeow: put events on the bus, faster and faster.")] = False,
    as_json: Json = False,
) -> None:
    """Measure the path in: from the phone's send to the browser's frame."""
    _run(inject.run(seconds=min(seconds, 10)) if injected else inbound.run(devices=devices, rate=rate, seconds=seconds), as_json)


@app.command("sessions")
def sessions_(
    count: Annotated[int, typer.Option("--sessions", min=5, max=2000, help="Connected numbers.")] = 200,
    workers: Workers = 2,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Measure what sessions cost at rest, and how fast they all come back."""
    _run(sessions.run(sessions=count, workers=workers, folder=folder), as_json)


def _run(work: Coroutine[Any, Any, dict[str, Any]], as_json: bool) -> None:
    result = asyncio.run(work)
    figures.show(result, as_json=as_json)
    if result["lost"] or result["doubled"] or result["done"] < result["asked"]:
        raise typer.Exit(1)
