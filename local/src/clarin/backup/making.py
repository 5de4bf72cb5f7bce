"""`clarin backup`."""
# ruff: noqa: ASYNC240 - a command: nobody else waits for its loop

import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from contracts import subjects
from servicekit.bus import Bus
from servicekit.objects import ObjectMissing, Objects

from clarin.backup import databases, streams
from clarin.backup.manifest import FORMAT, Manifest, described, recognised_by
from clarin.backup.places import KEY, Places
from clarin.folder import write
from clarin.processes import DATABASE, SCHEMAS, WHATSAPP


async def back_up(places: Places, to: Path, *, with_key: bool, say: Callable[[str], None] = print) -> Manifest:
    """*to* holds all that the running installation keeps; it is there whole or not at all.

    Raises:
        FileExistsError: There is something already.
        DumpFailed: PostgreSQL's own program failed.
    """
    if to.exists():
        raise FileExistsError(f"{to} is there already: a backup never writes over another.")
    part = to.with_name(f".{to.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700, parents=True)
    try:
        made = await _fill(part, places, with_key=with_key, say=say)
        part.rename(to)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return made


async def _fill(part: Path, places: Places, *, with_key: bool, say: Callable[[str], None]) -> Manifest:
    clarin = places.database(DATABASE)
    bus_folder = part / "streams"
    bus_folder.mkdir()
    counts: dict[str, int] = {}
    async with Bus.open(places.nats, name="clarin-backup") as bus:
        floor = await streams.unfinished(bus)
        orders: list[streams.Kept] = []
        heard_enough = await streams.listening(bus, orders)
        await bus.ping()  # from here on everything is heard
        orders += [one async for one in streams.stored(bus, subjects.COMMANDS)]
        say("The databases …")
        await databases.dump(clarin, part / f"{DATABASE}.dump")
        await databases.dump(places.database(WHATSAPP), part / f"{WHATSAPP}.dump")
        say("The files …")
        await _copy_files(places.objects, part / "media")
        say("The bus …")
        await bus.ping()
        await heard_enough()
        parts = {
            subjects.EVENTS: [one async for one in streams.stored(bus, subjects.EVENTS, after=floor)],
            subjects.COMMANDS: streams.identified(orders),
            subjects.DLQ: [one async for one in streams.stored(bus, subjects.DLQ)],
        }
        for bucket in streams.BUCKETS:
            parts[f"KV_{bucket.name}"] = [one async for one in streams.stored(bus, f"KV_{bucket.name}")]
        for name, some in parts.items():
            counts[name] = streams.write(bus_folder / f"{name}.jsonl", some)
    if with_key:
        write(part / f"{KEY}.key", places.key)
    manifest = Manifest(
        format=FORMAT,
        version=metadata.version("clarin-local"),
        made_at=datetime.now(UTC),
        schemas=await databases.schemas(clarin, list(SCHEMAS)),
        leakproof=await databases.leakproof(clarin),
        key=recognised_by(places.key),
        with_key=with_key,
        messages=counts,
        files=described(part),
    )
    manifest.write(part)
    return manifest


async def _copy_files(objects: Objects, to: Path) -> None:
    to.mkdir()
    async for key in objects.keys():
        path = to / key
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(ObjectMissing):  # its message was erased meanwhile
            await objects.fetch(key, path)
