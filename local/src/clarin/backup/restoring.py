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
from clarin.backup.making import KEY
from clarin.backup.manifest import Manifest, NotRestorable, check, read, recognised_by
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
    manifest = read(source)
    _check_versions(manifest)
    say("Looking at every file …")
    await asyncio.to_thread(check, source, manifest)
    key = (source / "encryption.key").read_text().strip() if manifest.with_key else key
    if key is None or recognised_by(key) != manifest.key:
        raise NotRestorable(
            "The backup does not hold the key that encrypts what is kept: give it as CLARIN_ENCRYPTION_KEY."
            if key is None
            else "CLARIN_ENCRYPTION_KEY is not the key that this backup was made with."
        )
    folder.make()
    with folder.lock(), ExitStack() as running:
        folder.keep(KEY, key)
        servers = Servers(folder, pooler=False)
        postgres = running.enter_context(servers.postgres)
        for node in servers.nats:
            running.enter_context(node)
        say("The databases …")
        admin, clarin, whatsapp = (postgres.url_of(name) for name in ("postgres", DATABASE, WHATSAPP))
        await databases.make_roles(admin, [role for schema in SCHEMAS for role in names(schema)[1:]])
        await make_databases(folder, admin)
        await databases.load(clarin, source / f"{DATABASE}.dump")
        await databases.load(whatsapp, source / f"{WHATSAPP}.dump")
        await databases.trust(clarin, manifest.leakproof)
        await migrate(folder, clarin)
        say("The bus …")
        await declare(servers.bus(ADMIN))
        async with Bus.open(servers.bus(ADMIN), name="clarin-restore") as bus:
            for name in manifest.messages:
                await streams.publish(bus, source / "streams" / f"{name}.jsonl")
        say("The files …")
        objects = Objects.folder(folder.root / "media")
        for path in sorted((source / "media").rglob("*")):
            if path.is_file():
                await objects.put(str(path.relative_to(source / "media")), path)
    return manifest


def _check_versions(manifest: Manifest) -> None:
    for schema, version in manifest.schemas.items():
        if schema not in SCHEMAS:
            raise NotRestorable(f"The backup holds {schema}, which this version does not know: update Clarin first.")
        if version not in versions(migrations(schema)):
            raise NotRestorable(f"{schema} is of version {version}, which is newer than this Clarin: update it first.")
