"""A backup and what becomes of it, on real servers without services; the whole round trip with sessions is in tests/e2e."""

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from clarin.backup import Manifest, NotRestorable, Places, back_up, restore, restore_elsewhere
from clarin.backup.databases import leakproof
from clarin.folder import Folder, Running
from clarin.processes import DATABASE, WHATSAPP
from clarin.servers import ADMIN, Servers, make_databases
from contracts import ids, subjects
from contracts.buckets import ACCESS
from contracts.commands import SendMessage
from contracts.envelope import encode
from contracts.examples import envelopes
from servicekit.bus import Bus
from servicekit.bus.permissions import MIGRATOR
from servicekit.objects import Objects

EVENT = next(one for one in envelopes() if one.type == "devices.message.observed")
ORDER = next(one for one in envelopes() if isinstance(one.data, SendMessage))
LATER = ids.new()


@asynccontextmanager
async def installation(root: Path) -> AsyncIterator[tuple[Folder, Running]]:
    """The servers of an installation, with every table and stream."""
    folder = Folder(root)
    folder.make()
    servers = Servers(folder, pooler=False)
    with ExitStack() as stack:
        for server in servers.every:
            stack.enter_context(server)
        await servers.provision()
        url = servers.postgres.url_of(DATABASE)
        yield folder, Running(url="", sim_url=None, postgres=url, nats=servers.bus(ADMIN), redis="", pids={}, urls={}, data="", pid=0)


async def kept(running: Running) -> dict[str, object]:
    """What an installation holds, as far as this test has put it there."""
    connection = await asyncpg.connect(running.postgres)
    rows = await connection.fetch("select msg_id, subject from conversations.outbox")
    await connection.close()
    other = await asyncpg.connect(running.postgres.removesuffix(DATABASE) + WHATSAPP)
    sessions = await other.fetchval("select count(*) from session")
    owner = await other.fetchval("select tableowner from pg_tables where tablename = 'session'")
    await other.close()
    async with Bus.open(running.nats, name="test") as bus:
        found = {name: (await bus.stream_state(name)).messages for name in (subjects.EVENTS, subjects.COMMANDS, subjects.DLQ)}
        entry = await (await bus.bucket(ACCESS)).get("somebody")
    return {
        "outbox": [tuple(row) for row in rows],
        "sessions": (sessions, owner),
        **found,
        "access": entry and entry.value,
        "leakproof": await leakproof(running.postgres),
    }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest, dict[str, object], str]:
    """A backup, what its installation held, and its key."""
    root = tmp_path_factory.mktemp("backed-up")
    async with installation(root / "data") as (folder, running):
        connection = await asyncpg.connect(running.postgres)
        await connection.execute(
            "insert into conversations.outbox (tenant, msg_id, subject, payload) values ($1, $2, 'evt.a.b.c.v1', '')", EVENT.tenant, LATER
        )
        await connection.close()
        other = await asyncpg.connect(running.postgres.removesuffix(DATABASE) + WHATSAPP)
        await other.execute(f"set role {WHATSAPP}; create table session (their_id text); insert into session values ('x'), ('y')")  # noqa: S608
        await other.close()
        async with Bus.open(running.nats, name="test") as bus:
            await bus.publish(EVENT)
            await bus.publish_raw([(subjects.of(ORDER), ORDER.id, encode(ORDER))])
            await (await bus.bucket(ACCESS)).put("somebody", b"{}")
        await Objects.folder(folder.root / "media").put("a/b/picture", b"a picture")
        manifest = await back_up(Places.here(folder, running), root / "backup", with_key=False, say=lambda _: None)
        return root / "backup", manifest, await kept(running), folder.key("encryption")


@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_restored_is_what_was_there(made, tmp_path):
    backup, manifest, before, key = made
    assert manifest.messages[subjects.EVENTS] == manifest.messages[subjects.COMMANDS] == 1
    assert not (backup / "encryption.key").exists()
    assert key not in "".join(path.read_text(errors="replace") for path in backup.rglob("*.json*"))
    await restore(Folder(tmp_path / "data"), backup, key=key, say=lambda _: None)
    async with installation(tmp_path / "data") as (folder, running):
        assert await kept(running) == before
        assert folder.key("encryption") == key
        chunks = await Objects.folder(folder.root / "media").read("a/b/picture")
        assert b"".join([chunk async for chunk in chunks]) == b"a picture"


async def refused(folder: Path, backup: Path, key: str | None) -> str:
    with pytest.raises(NotRestorable) as refusal:
        await restore(Folder(folder), backup, key=key, say=lambda _: None)
    assert not (folder / "postgres").exists()
    return str(refusal.value)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_backup_without_its_key_or_with_another_one_is_refused(made, tmp_path):
    backup, _, _, _ = made
    assert "CLARIN_ENCRYPTION_KEY" in await refused(tmp_path / "data", backup, None)
    assert "is not the key" in await refused(tmp_path / "data", backup, "bm90IHRoZSBrZXkgdGhhdCBpdCB3YXMgbWFkZSB3aXRoIQ==")


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("harm", ["changed", "missing", "added", "newer", "strange", "no index"])
async def test_a_backup_that_is_not_what_it_was_or_of_a_newer_version_is_refused(made, tmp_path, harm):
    source, _, _, key = made
    backup = tmp_path / "backup"
    shutil.copytree(source, backup)
    picture, index = backup / "media" / "a" / "b" / "picture", backup / "manifest.json"
    said = json.loads(index.read_text())
    match harm:
        case "changed":
            picture.write_bytes(b"A picture")
        case "missing":
            picture.unlink()
        case "added":
            (backup / "more").touch()
        case "newer":
            said["schemas"]["auth"] = "9999"
        case "strange":
            said["schemas"]["parcels"] = "0001"
        case "no index":
            index.unlink()
    if index.exists():
        index.write_text(json.dumps(said))
    words = {
        "changed": "checksum", "missing": "is missing", "added": "was not backed up", "newer": "is newer", "strange": "does not know",
        "no index": "no backup",
    }  # fmt: skip
    assert words[harm] in await refused(tmp_path / "data", backup, key)


@pytest.mark.asyncio(loop_scope="module")
async def test_nothing_is_written_over(made, tmp_path):
    backup, _, _, key = made
    (tmp_path / "data" / "nats").mkdir(parents=True)
    assert "has data already" in await refused(tmp_path / "data", backup, key)
    nowhere = Places(postgres="", nats="", objects=Objects.folder(tmp_path), key="")
    with pytest.raises(FileExistsError):
        await back_up(nowhere, backup, with_key=False)


@pytest.mark.asyncio(loop_scope="module")
async def test_servers_elsewhere_are_filled_before_their_first_migration_and_not_after(made, tmp_path):
    backup, manifest, before, key = made
    folder = Folder(tmp_path / "data")
    folder.make()
    servers = Servers(folder, pooler=False)
    with ExitStack() as stack:
        for server in servers.every:
            stack.enter_context(server)
        await make_databases(folder, servers.postgres.url)
        places = Places(
            postgres=servers.postgres.url_of(DATABASE), nats=servers.bus(MIGRATOR), objects=Objects.folder(tmp_path / "media"), key=key
        )
        assert await restore_elsewhere(places, backup, say=lambda _: None) == manifest
        running = Running(
            url="", sim_url=None, postgres=places.postgres, nats=servers.bus(ADMIN), redis="", pids={}, urls={}, data="", pid=0
        )
        assert await kept(running) == before
        again = await back_up(places, tmp_path / "again", with_key=True, say=lambda _: None)
        assert (again.messages, again.schemas) == (manifest.messages, manifest.schemas)
        with pytest.raises(NotRestorable, match="has data already"):
            await restore_elsewhere(places, backup, say=lambda _: None)
