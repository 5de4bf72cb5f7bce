"""`clarin restore`."""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from servicekit.bus import Bus, declare
from servicekit.migrations.names import names
from servicekit.migrations.runner import versions
from servicekit.objects import Objects

from clarin.backup import databases, streams
from clarin.backup.manifest import Manifest, NotRestorable, check, read, recognised_by
from clarin.backup.places import KEY, Places
from clarin.folder import Folder
from clarin.processes import DATABASE, SCHEMAS, WHATSAPP, migrations
from clarin.servers import ADMIN, Servers, make_databases, migrate


async def restore(folder: Folder, source: Path, *, key: str | None, say: Callable[[str], None] = print) -> Manifest:
    """The installation of *folder*, which was empty, is the one that was backed up; it is stopped, and `clarin up` starts it.

    Args:
        key: The encryption key, where the backup has none.

    Raises:
        NotRestorable: The folder has data, the backup is damaged or of a newer version, or its key is not there.
    """
    if (folder.root / "postgres").exists() or (folder.root / "nats").exists():
        raise NotRestorable(f"{folder.root} has data already: restore into a folder that is empty.")
    manifest, key = await _checked(source, key, say)
    folder.make()
    with folder.lock(), ExitStack() as running:
        folder.keep(KEY, key)
        servers = Servers(folder, pooler=False)
        postgres = running.enter_context(servers.postgres)
        for node in servers.nats:
            running.enter_context(node)
        await make_databases(folder, postgres.url)
        objects = Objects.folder(folder.root / "media")
        await _fill(Places(postgres=postgres.url, nats=servers.bus(ADMIN), objects=objects, key=key), source, manifest, say)
        await migrate(folder, postgres.url_of(DATABASE))
    return manifest


async def restore_elsewhere(places: Places, source: Path, *, say: Callable[[str], None] = print) -> Manifest:
    """The servers, which were empty, hold what was backed up; the migrations give the roles their passwords then.

    Raises:
        NotRestorable: As `restore`.
    """
    if present := await databases.schemas(places.database(DATABASE), list(SCHEMAS)):
        raise NotRestorable(f"The database has data already: {', '.join(present)}. Restore before the first migration.")
    manifest, _ = await _checked(source, places.key or None, say)
    await _fill(places, source, manifest, say)
    return manifest


async def _checked(source: Path, key: str | None, say: Callable[[str], None]) -> tuple[Manifest, str]:
    manifest = read(source)
    _check_versions(manifest)
    say("Looking at every file …")
    await asyncio.to_thread(check, source, manifest)
    key = (source / f"{KEY}.key").read_text().strip() if manifest.with_key else key
    if key is None:
        raise NotRestorable("The backup does not hold the key that encrypts what is kept: give it as CLARIN_ENCRYPTION_KEY.")
    if recognised_by(key) != manifest.key:
        raise NotRestorable("CLARIN_ENCRYPTION_KEY is not the key that this backup was made with.")
    return manifest, key


async def _fill(places: Places, source: Path, manifest: Manifest, say: Callable[[str], None]) -> None:
    say("The databases …")
    clarin = places.database(DATABASE)
    await databases.make_roles(clarin, [role for schema in SCHEMAS for role in names(schema)[1:]])
    await databases.load(clarin, source / f"{DATABASE}.dump")
    await databases.load(places.database(WHATSAPP), source / f"{WHATSAPP}.dump")
    await databases.trust(clarin, manifest.leakproof)
    say("The bus …")
    await declare(places.nats)
    async with Bus.open(places.nats, name="clarin-restore") as bus:
        for name in manifest.messages:
            await streams.publish(bus, source / "streams" / f"{name}.jsonl")
    say("The files …")
    media = source / "media"
    for path in sorted(path for path in media.rglob("*") if path.is_file()):
        await places.objects.put(str(path.relative_to(media)), path)


def _check_versions(manifest: Manifest) -> None:
    for schema, version in manifest.schemas.items():
        if schema not in SCHEMAS:
            raise NotRestorable(f"The backup holds {schema}, which this version does not know: update Clarin first.")
        if version not in versions(migrations(schema)):
            raise NotRestorable(f"{schema} is of version {version}, which is newer than this Clarin: update it first.")
