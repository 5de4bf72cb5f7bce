"""Below the services: a service's own password, in the hands of somebody else, opens nothing that its code must not open."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from clarin.processes import DATABASE, SCHEMAS, Addresses, dsn
from clarin.testing import Shop, System
from contracts import access, buckets
from contracts.envelope import wrap
from contracts.events.auth import SessionClosed
from contracts.events.conversations import ContactCreated
from contracts.events.devices import DeviceDeleted
from contracts.ids import TenantId, UserId
from servicekit.bus import Bus, BusRefused
from servicekit.bus.permissions import inbox

from .world import as_admin, folder, running

pytestmark = pytest.mark.timeout(120)

ROLES = [role for schema in SCHEMAS for role in (schema, f"{schema}_system")]

#: What belongs to the installation: no tenant stands in it. A new table without a tenant has to be thought about here.
INSTALLATION = {
    "auth.installation",
    "auth.invitations",
    "auth.login_attempts",
    "auth.mails",
    "auth.signing_keys",
    "devices.shards",
}
#: The record of the version: its owner's alone.
VERSION = "schema_version"


def at(system: System) -> Addresses:
    return Addresses.of(running(system))


@asynccontextmanager
async def as_role(system: System, role: str, database: str = DATABASE) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn(folder(system), at(system), role, database))
    try:
        yield connection
    finally:
        await connection.close()


async def tables(system: System) -> list[asyncpg.Record]:
    """Every table of every service, with what guards it."""
    async with as_admin(system) as admin:
        return list(
            await admin.fetch(
                """select n.nspname as schema, c.relname as name, c.relrowsecurity as enabled, c.relforcerowsecurity as forced,
                          exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant') as tenant,
                          (select count(*) from pg_policy p where p.polrelid = c.oid) as policies,
                          (select count(*) from pg_policy p where p.polrelid = c.oid and p.polname = 'tenant' and p.polroles = '{0}'
                             and pg_get_expr(p.polqual, p.polrelid) like '%app.tenants%'
                             and pg_get_expr(p.polwithcheck, p.polrelid) like '%app.tenants%') as guards
                   from pg_class c join pg_namespace n on n.oid = c.relnamespace
                   where n.nspname = any($1) and c.relkind in ('r', 'p', 'f', 'm', 'v') order by 1, 2""",
                list(SCHEMAS),
            )
        )


@pytest.fixture
async def busy(shop: Shop) -> Shop:
    """A tenant of whom something stands in most tables."""
    customer = await shop.customer()
    async with shop.client.socket() as socket:
        await shop.writes(customer, "hola")
        arrived = await socket.event("new_message")
        await shop.client.post("/api/messages/send", {"chat_id": arrived["chat_id"], "text": "buenas"}, key="guarded")
        await shop.inbox(customer, 1)
    return shop


async def test_every_table_with_a_tenant_is_guarded_by_it(system: System):
    found = await tables(system)
    assert {row["schema"] for row in found} == set(SCHEMAS)
    loose = [f"{row['schema']}.{row['name']}" for row in found if not row["tenant"] and row["name"] != VERSION]
    assert sorted(loose) == sorted(INSTALLATION)
    for row in found:
        if row["name"] != VERSION:
            assert row["enabled"], row
            assert row["forced"], row
            assert row["policies"], row
        if row["tenant"]:
            assert row["guards"] == 1, row


async def test_without_a_tenant_nothing_is_read_and_nothing_written(busy: Shop, system: System):
    filled = set()
    async with as_admin(system) as admin:
        for row in await tables(system):
            if row["tenant"] and await admin.fetchval(f'select exists (select from "{row["schema"]}"."{row["name"]}")'):
                filled.add(f"{row['schema']}.{row['name']}")
    assert {"auth.users", "auth.sessions", "devices.devices", "devices.sends", "conversations.messages", "conversations.chats"} <= filled
    for schema in SCHEMAS:
        async with as_role(system, schema) as role:
            for row in await tables(system):
                if row["schema"] != schema or not row["tenant"]:
                    continue
                name = f'"{schema}"."{row["name"]}"'
                for tenants in ("", "{}", "{" + str(uuid4()) + "}"):
                    async with role.transaction():
                        await role.execute("select set_config('app.tenants', $1, true)", tenants)
                        assert await role.fetchval(f"select count(*) from {name}") == 0, (name, tenants)
                    for change in (f"update {name} set tenant = tenant", f"delete from {name}"):
                        with suppress(asyncpg.InsufficientPrivilegeError):  # some may only be added to
                            assert await changed(role, change, tenants) in {"UPDATE 0", "DELETE 0"}, name
                    with pytest.raises(asyncpg.InsufficientPrivilegeError, match=r"row-level security|permission denied"):
                        await inserted(role, name, tenants)


async def changed(role: asyncpg.Connection, statement: str, tenants: str) -> str:
    async with role.transaction():
        await role.execute("select set_config('app.tenants', $1, true)", tenants)
        return str(await role.execute(statement))


async def inserted(role: asyncpg.Connection, name: str, tenants: str) -> None:
    async with role.transaction():
        await role.execute("select set_config('app.tenants', $1, true)", tenants)
        await role.execute(f"insert into {name} (tenant) values ($1)", uuid4())


async def moved(role: asyncpg.Connection, mine: UUID) -> None:
    async with role.transaction():
        await role.execute("select set_config('app.tenants', $1, true)", "{" + str(mine) + "}")
        await role.execute("update idempotency set tenant = $1", uuid4())


async def test_with_one_tenant_another_ones_rows_cannot_be_touched(system: System):
    """The setting is what a service says of itself; with one tenant in it the others are still out of reach."""
    mine = uuid4()
    async with as_role(system, "conversations") as role:
        async with role.transaction():
            await role.execute("select set_config('app.tenants', $1, true)", "{" + str(mine) + "}")
            await role.execute(
                "insert into idempotency (tenant, principal, key, fingerprint, status, body) values ($1, $1, 'k', '', 200, '')", mine
            )
            assert await role.fetchval("select count(*) from idempotency") == 1
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await moved(role, mine)


async def test_the_setting_does_not_outlive_its_transaction(system: System):
    async with as_role(system, "conversations") as role:
        async with role.transaction():
            await role.execute("select set_config('app.tenants', $1, true)", "{" + str(uuid4()) + "}")
        assert await role.fetchval("select coalesce(current_setting('app.tenants', true), '')") == ""


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_owns_nothing_and_can_become_nobody_else(system: System, role: str):
    async with as_admin(system) as admin:
        known = await admin.fetchrow("select * from pg_roles where rolname = $1", role)
        assert known is not None
        for power in ("rolsuper", "rolbypassrls", "rolcreaterole", "rolcreatedb", "rolreplication"):
            assert not known[power], power
        assert await admin.fetchval("select count(*) from pg_shdepend where deptype = 'o' and refobjid = $1", known["oid"]) == 0
        assert await admin.fetchval("select count(*) from pg_auth_members where member = $1", known["oid"]) == 0
        assert not await admin.fetchval("select has_database_privilege($1, $2, 'CREATE')", role, DATABASE)
        own = role.removesuffix("_system")
        spaces = await admin.fetch("select nspname from pg_namespace where nspname not like 'pg_temp%' and nspname not like 'pg_toast%'")
        for name in [row["nspname"] for row in spaces]:
            assert not await admin.fetchval("select has_schema_privilege($1, $2, 'CREATE')", role, name), name
            if name in SCHEMAS and name != own:
                assert not await admin.fetchval("select has_schema_privilege($1, $2, 'USAGE')", role, name), name


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_reaches_nothing_outside_its_schema(system: System, role: str):
    own = role.removesuffix("_system")
    async with as_role(system, role) as connection:
        for row in await tables(system):
            if row["schema"] != own:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.fetch(f'select * from "{row["schema"]}"."{row["name"]}"')
        for attempt in (
            "create table mine (id int)",
            "create schema mine",
            f"alter table {own}.outbox disable row level security",
            f"alter table {own}.outbox no force row level security",
            f"drop policy tenant on {own}.outbox",
            f"create policy mine on {own}.outbox using (true)",
            f"truncate {own}.outbox",
            f"drop table {own}.outbox",
            f"set role {own}_owner",
            "set role postgres",
            f"set session authorization {own}_owner",
            f"update {own}.schema_version set version_num = '0'",
            "alter role current_user bypassrls",
            "create role mine",
            "select pg_read_file('/etc/passwd')",
            "copy (select 1) to program 'true'",
            "select * from pg_authid",
            "create extension dblink",
        ):
            with pytest.raises(asyncpg.PostgresError) as caught:
                await connection.execute(attempt)
            assert caught.value.sqlstate in {"42501", "42939", "55000"}, (attempt, caught.value)
        with pytest.raises(asyncpg.PostgresError, match=r"permission|privilege"):
            async with as_role(system, role, "whatsapp"):
                pass


async def test_row_level_security_cannot_be_switched_off(system: System):
    for schema in SCHEMAS:
        async with as_role(system, schema) as role:
            await role.execute("set row_security = off")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await role.fetch(f"select * from {schema}.outbox")


#: They see the tables of the search whole: the ones look at the tenants of the transaction themselves, the others are triggers.
LENDERS = {
    "conversations": {
        *("search_messages", "search_names", "search_similar"),
        *("forget_messages", "keep_changed_message", "keep_contact", "keep_new_messages"),
    }
}


async def test_few_functions_lend_a_role_their_makers_rights(system: System):
    """One that does takes the tenant as its first argument, or nobody may call it; a new one has to be thought about here."""
    async with as_admin(system) as admin:
        lenders = await admin.fetch(
            "select n.nspname as schema, p.proname as name, p.prorettype = 'trigger'::regtype as trigger, "
            "p.proargtypes[0] = 'uuid'::regtype as tenant_first, "
            "has_function_privilege(n.nspname, p.oid, 'execute') "
            "or has_function_privilege(n.nspname || '_system', p.oid, 'execute') as open "
            "from pg_proc p join pg_namespace n on n.oid = p.pronamespace "
            "where p.prosecdef and n.nspname not like 'pg\\_%' and n.nspname <> 'information_schema'"
        )
    assert {(row["schema"], row["name"]) for row in lenders} == {(schema, name) for schema, names in LENDERS.items() for name in names}
    for row in lenders:
        assert not row["open"] if row["trigger"] else row["tenant_first"], row


# --- the bus ------------------------------------------------------------------------------------------------------------

TENANT = TenantId(uuid4())
FACTS = {
    "auth": wrap(TENANT, SessionClosed(user=UserId(uuid4()), session=uuid4(), reason="logout")),
    "devices": wrap(TENANT, DeviceDeleted(id="dev_00000000000000000000000000")),
    "conversations": wrap(TENANT, ContactCreated(id="cnt_00000000000000000000000000", name="x", phone=None)),
}
USERS = sorted(access.EVERY)


def as_user(system: System, user: str) -> Any:
    return Bus.open(f"nats://{user}:{folder(system).password(f'nats.{user}')}@127.0.0.1:{at(system).nats_port}", name=user)


def foreign_calls(user: str) -> Iterator[str]:
    """Calls of JetStream's API that are not for *user*."""
    yield from (
        "STREAM.CREATE.MINE",
        "STREAM.UPDATE.EVENTS",
        "STREAM.DELETE.EVENTS",
        "STREAM.PURGE.EVENTS",
        "STREAM.MSG.GET.EVENTS",
        "STREAM.MSG.DELETE.COMMANDS",
        "STREAM.LIST",
        "STREAM.SNAPSHOT.EVENTS",
        "CONSUMER.CREATE.EVENTS.mine",
        "CONSUMER.DURABLE.CREATE.EVENTS.mine",
    )
    if not access.EVERY[user].erases:  # one service alone takes out what speaks of somebody who is erased
        yield "STREAM.MSG.DELETE.EVENTS"
    if not access.EVERY[user].operates:  # nor does any but the one that shows the installation's owner the queues
        yield from ("CONSUMER.LIST.EVENTS", "STREAM.PURGE.DLQ")
    if not (access.EVERY[user].erases or access.EVERY[user].operates):
        yield from ("STREAM.MSG.DELETE.DLQ", "STREAM.MSG.GET.DLQ")
    if not access.EVERY[user].reads_events:
        yield "CONSUMER.CREATE.EVENTS"
    for other, theirs in access.EVERY.items():
        for stream, durable in theirs.durables if other != user else ():
            yield from (f"CONSUMER.{call}.{stream}.{durable}" for call in ("CREATE", "DELETE", "MSG.NEXT", "RESET"))


@pytest.mark.parametrize("user", USERS)
async def test_a_service_tells_no_facts_of_another(system: System, user: str):
    async with as_user(system, user) as bus:
        for other, fact in FACTS.items():
            if other != user:
                with pytest.raises(BusRefused, match="permission"):
                    await bus.publish(fact)


@pytest.mark.parametrize("user", USERS)
async def test_a_service_makes_no_stream_and_takes_nobody_elses_messages(system: System, user: str):
    async with as_user(system, user) as bus:
        refused = await asyncio.gather(*(bus.connection.api(call, {}, timeout=5) for call in foreign_calls(user)), return_exceptions=True)
    let_through = [
        call
        for call, error in zip(foreign_calls(user), refused, strict=True)
        if not (isinstance(error, BusRefused) and "permission" in str(error))
    ]
    assert let_through == []


async def test_a_service_hears_nothing_that_is_not_for_it(busy: Shop, system: System):
    """While a whole journey goes on: not the events, not the questions, not the answers to others, not what is shouted."""
    heard: list[tuple[str, str]] = []
    control: list[str] = []

    async def overhear(subject: str, payload: bytes) -> None:
        control.append(subject)

    async with (
        as_user(system, "gateway") as gateway,
        as_user(system, "auth") as auth,
        Bus.open(str(system.ready["nats"]), name="admin") as admin,
    ):
        await admin.listen("evt.>", overhear)
        for name, bus in (("gateway", gateway), ("auth", auth)):

            async def hear(subject: str, payload: bytes, name: str = name) -> None:
                heard.append((name, subject))

            for subject in (">", "evt.>", "cmd.>", "eph.>", "ask.devices.*", "_INBOX.>", "$KV.>", "$SYS.>", "$JS.EVENT.>"):
                await bus.listen(subject, hear)
            for other in (*access.EVERY, "migrator", "admin"):
                if other != name:
                    await bus.listen(f"{inbox(other)}.>", hear)
        customer = await busy.customer()
        async with busy.client.socket() as socket:
            await busy.writes(customer, "escuchen")
            await socket.event("new_message", text="escuchen")
        await gateway.ping()
        await auth.ping()
    assert control, "there was something to hear"
    assert heard == []


@pytest.mark.parametrize("user", [user for user in USERS if user != "auth"])
async def test_nobody_but_auth_plants_a_key_that_tokens_are_verified_with(system: System, user: str):
    async with as_user(system, user) as bus:
        keys = await bus.bucket(buckets.KEYS)
        for attempt in (keys.put("mine", b"{}", timeout=5), (await bus.bucket(buckets.VERSIONS)).put(str(uuid4()), b"9", timeout=5)):
            with pytest.raises(BusRefused, match="permission"):
                await attempt


async def test_a_wrong_password_opens_neither_the_bus_nor_the_database(system: System):
    right = dsn(folder(system), at(system), "conversations", DATABASE)
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(right.replace(folder(system).password("postgres.conversations"), "guess"))
    for told in (b'{"user":"auth","pass":"guess"}', b'{"user":"auth"}', b"{}"):
        reader, writer = await asyncio.open_connection("127.0.0.1", at(system).nats_port)
        writer.write(b"CONNECT " + told + b"\r\nPING\r\n")
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
        assert b"Authorization" in answer
        assert b"PONG" not in answer
