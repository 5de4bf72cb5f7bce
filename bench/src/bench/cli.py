"""Which benchmarks there are."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop

from bench import (
    board,
    bot,
    contacts,
    failover,
    fanout,
    faults,
    figures,
    gateway,
    inbound,
    inbox,
    inject,
    media,
    panel,
    realtime,
    rolling,
    sessions,
    soak,
    webhooks,
)

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on the last line.")]

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


@app.command("inbox")
def inbox_(
    chats: Annotated[int, typer.Option(min=1_000, max=10_000_000, help="Of one account.")] = 100_000,
    messages: Annotated[int, typer.Option(min=10_000, max=100_000_000, help="Of that account, after 10,000 of another.")] = 1_000_000,
    requests: Annotated[int, typer.Option(min=5, max=10_000, help="For each list, page and search, of which there are some thirty.")] = 100,
    as_json: Json = False,
) -> None:
    """Measure an inbox with many chats: lists, pages, search, dashboard; and look for plans that read a whole table."""
    _run(inbox.run(chats=chats, messages=messages, requests=requests), as_json, loop=uvloop.new_event_loop)


@app.command("board")
def board_(
    leads: Annotated[int, typer.Option(min=100, max=1_000_000, help="Of one account; half of them in one stage.")] = 50_000,
    queries: Annotated[int, typer.Option(min=20, max=100_000, help="Looks at the board.")] = 1000,
    moves: Annotated[int, typer.Option(min=20, max=40_000, help="Cards moved.")] = 1000,
    as_json: Json = False,
) -> None:
    """Measure a board with many leads: a look at it, and a move."""
    _run(board.run(leads=leads, queries=queries, moves=min(moves, leads)), as_json, loop=uvloop.new_event_loop)


@app.command("sessions")
def sessions_(
    count: Annotated[int, typer.Option("--sessions", min=5, max=2000, help="Connected numbers.")] = 200,
    workers: Workers = 2,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Measure what sessions cost at rest, and how fast they all come back."""
    _run(sessions.run(sessions=count, workers=workers, folder=folder), as_json)


@app.command("failover")
def failover_(
    count: Annotated[int, typer.Option("--sessions", min=5, max=2000, help="Connected numbers.")] = 100,
    workers: Annotated[int, typer.Option(min=2, max=16, help="Processes that hold them.")] = 2,
    rate: Annotated[float, typer.Option(min=1, max=1000, help="Messages a second, both directions together.")] = 40,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Measure what the death and the drain of a worker cost."""
    _run(failover.run(sessions=count, workers=workers, rate=rate, folder=folder), as_json)


@app.command("faults")
def faults_(
    count: Annotated[int, typer.Option("--sessions", min=5, max=2000, help="Connected numbers.")] = 50,
    workers: Annotated[int, typer.Option(min=2, max=16, help="Processes that hold them.")] = 2,
    rate: Annotated[float, typer.Option(min=1, max=1000, help="Messages a second, both directions together.")] = 10,
    hung: Annotated[float, typer.Option(min=16, max=3600, help="Seconds that a worker stands still.")] = 60,
    cut_off: Annotated[float, typer.Option("--offline", min=1, max=3600, help="Seconds without WhatsApp.")] = 300,
    without: Annotated[float, typer.Option(min=1, max=3600, help="Seconds without the bus, then without the database.")] = 20,
    only: Annotated[
        list[str] | None, typer.Option(help=f"One of {', '.join(faults.ACCIDENTS)}; several times for several; else all.")
    ] = None,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Measure the long accidents: how fast all numbers are back, and what became of the messages."""
    if unknown := set(only or ()) - set(faults.ACCIDENTS):
        raise typer.BadParameter(f"There is no accident called {unknown.pop()}.")
    what = faults.run(
        sessions=count,
        workers=workers,
        rate=rate,
        hung=hung,
        cut_off=cut_off,
        without=without,
        only=only or faults.ACCIDENTS,
        folder=folder,
    )
    _run(what, as_json)


@app.command("gateway")
def gateway_(
    seconds: Annotated[float, typer.Option(min=0.2, max=60, help="For each throughput, of which there are thirty.")] = 1.5,
    requests: Annotated[int, typer.Option(min=100, max=100_000, help="For each latency, of which there are six.")] = 1000,
    as_json: Json = False,
) -> None:
    """Measure what the gateway adds to a request, and what it carries, beside FastAPI with httpx."""
    _run(gateway.run(seconds=seconds, requests=requests), as_json, loop=uvloop.new_event_loop)


@app.command("bot")
def bot_(
    rules: Annotated[int, typer.Option(min=1, max=2000, help="Rules, of all five kinds.")] = 1000,
    decisions: Annotated[int, typer.Option(min=100, max=1_000_000, help="Messages that are decided about.")] = 20_000,
    as_json: Json = False,
) -> None:
    """Measure how long the bot thinks about a message."""
    _run(bot.run(rules=rules, decisions=decisions), as_json)


@app.command("webhooks")
def webhooks_(
    rate: Annotated[int, typer.Option(min=1, max=2000, help="Deliveries a second.")] = 100,
    seconds: Annotated[float, typer.Option(min=1, max=600, help="For each of six laps.")] = 10,
    tenants: Annotated[int, typer.Option(min=1, max=1000, help="Accounts, each with an endpoint.")] = 100,
    as_json: Json = False,
) -> None:
    """Measure how soon webhooks are tried, and what dead endpoints cost the others."""
    _run(webhooks.run(rate=rate, seconds=seconds, tenants=tenants), as_json)


@app.command("soak")
def soak_(
    minutes: Annotated[float, typer.Option(min=0.5, max=1440, help="For how long, after the numbers are linked.")] = 60,
    count: Annotated[int, typer.Option("--sessions", min=5, max=2000, help="Connected numbers.")] = 200,
    workers: Annotated[int, typer.Option(min=2, max=16, help="Processes that hold them.")] = 2,
    rate: Annotated[float, typer.Option(min=1, max=1000, help="Messages a second, both directions together.")] = 10,
    recycle: Annotated[float, typer.Option(min=0.2, help="Minutes from one recycled worker to the next.")] = 5,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Run traffic for long, recycle workers meanwhile, then count what was lost or doubled and what grew."""
    _run(soak.run(minutes=minutes, sessions=count, workers=workers, rate=rate, recycle_minutes=recycle, folder=folder), as_json)


@app.command("rolling")
def rolling_(
    count: Annotated[int, typer.Option("--sessions", min=5, max=2000, help="Connected numbers.")] = 50,
    rate: Annotated[float, typer.Option(min=1, max=1000, help="Messages a second, both directions together.")] = 20,
    reads: Annotated[float, typer.Option(min=1, max=1000, help="Other requests a second.")] = 50,
    at_once: Annotated[int, typer.Option(min=1, max=16, help="Services restarted at a time; never two of one kind.")] = 1,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Restart every process of a large installation under load: nothing may fail, be lost or come twice."""
    result = _run(rolling.run(sessions=count, rate=rate, reads=reads, at_once=at_once, folder=folder), as_json)
    if result["failed_requests"] or result["sends_refused"]:
        raise typer.Exit(1)


@app.command("fanout")
def fanout_(
    sockets: Annotated[str, typer.Option(help="How many sockets, by comma.")] = "1000,5000",
    seconds: Annotated[float, typer.Option(min=0.5, max=600, help="For each pace, of which there are two.")] = 5,
    rate: Annotated[float, typer.Option(min=1, max=100_000, help="Frames a second while delays are taken.")] = 5000,
    rounds: Annotated[int, typer.Option(min=1, max=20, help="How often each is measured, in turns.")] = 2,
    as_json: Json = False,
) -> None:
    """Measure frames to many sockets beside Node's socket.io."""
    counts = [int(count) for count in sockets.split(",")]
    _run(fanout.run(sockets=counts, seconds=seconds, rate=rate, rounds=rounds), as_json, loop=uvloop.new_event_loop)


@app.command("contacts")
def contacts_(
    rows: Annotated[int, typer.Option(min=100, max=200_000, help="Of the list that is brought in and taken away.")] = 100_000,
    as_json: Json = False,
) -> None:
    """Measure a list of contacts in and out: rows a second, and the memory that it takes."""
    _run(contacts.run(rows=rows), as_json)


@app.command("media")
def media_(
    files: Annotated[int, typer.Option(min=5, max=10_000, help="Files that come in, one after the other.")] = 50,
    size: Annotated[int, typer.Option(min=100, max=50_000_000, help="Bytes of each.")] = 500_000,
    large: Annotated[int, typer.Option(min=100, max=100_000_000, help="Bytes of the one that follows.")] = 60_000_000,
    as_json: Json = False,
) -> None:
    """Measure files that come in: from the phone to the browser, and what the largest costs in memory."""
    _run(media.run(files=files, size=size, large=large), as_json)


@app.command("panel")
def panel_(
    chats: Annotated[int, typer.Option(min=10, max=1_000_000, help="Of one account.")] = 100_000,
    messages: Annotated[int, typer.Option(min=10, max=10_000_000, help="In those chats.")] = 300_000,
    interactions: Annotated[int, typer.Option(min=5, max=10_000, help="Of each kind: chats opened, letters of a search.")] = 60,
    minutes: Annotated[float, typer.Option(min=0.1, max=600, help="With messages that come in.")] = 5,
    rate: Annotated[float, typer.Option(min=1, max=1000, help="Messages a second meanwhile.")] = 20,
    as_json: Json = False,
) -> None:
    """Measure the panel in a browser: script of a first visit, interaction to next paint with many chats, memory."""
    _run(panel.run(chats=chats, messages=messages, interactions=interactions, minutes=minutes, rate=rate), as_json)


@app.command("realtime")
def realtime_(
    sockets: Annotated[int, typer.Option(min=3, max=20_000, help="Browsers that never give up.")] = 2000,
    replicas: Annotated[int, typer.Option(min=1, max=8, help="Processes that they are on.")] = 2,
    rate: Annotated[float, typer.Option(min=1, max=10_000, help="Events a second, all accounts together.")] = 200,
    seconds: Annotated[float, typer.Option(min=2, max=86_400, help="For how long.")] = 300,
    kills: Annotated[int, typer.Option(min=0, max=100, help="Deaths of a replica.")] = 3,
    restarts: Annotated[int, typer.Option(min=0, max=100, help="Restarts of the bus.")] = 2,
    as_json: Json = False,
) -> None:
    """Cut sockets, kill replicas, restart the bus; then hold what each browser got against what its role may see."""
    work = realtime.run(sockets=sockets, replicas=replicas, rate=rate, seconds=seconds, kills=kills, restarts=restarts)
    _run(work, as_json, loop=uvloop.new_event_loop)


def _run(
    work: Coroutine[Any, Any, dict[str, Any]], as_json: bool, *, loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
) -> dict[str, Any]:
    with asyncio.Runner(loop_factory=loop) as runner:
        result = runner.run(work)
    figures.show(result, as_json=as_json)
    if result.get("lost") or result.get("doubled") or result.get("sequential_scans") or result["done"] < result["asked"]:
        raise typer.Exit(1)
    return result
