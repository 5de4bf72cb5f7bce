import asyncio
import contextlib
import time
from pathlib import Path

import asyncpg
import pytest
import sqlalchemy as sa
from contracts import ids
from servicekit.db import Database, DatabaseAway, DatabaseBusy, Patience, TransactionFailed, is_away, is_busy, raw
from servicekit.testing import eventually
from sqlalchemy.exc import IntegrityError, ProgrammingError

MIGRATIONS = Path(__file__).parent / "migrations"
INSERT = sa.text("insert into notes (tenant, id, text) values (:tenant, :id, :text)")
COUNT = sa.text("select count(*) from notes")


@pytest.fixture
def urls(provisioned):
    return provisioned("shop", MIGRATIONS)


@pytest.fixture
async def db(urls):
    async with Database.open(urls.service_url, application="shop", pool=3) as opened:
        yield opened


@pytest.fixture
async def system_db(urls):
    async with Database.open(urls.system_url, application="shop-system", pool=2) as opened:
        yield opened


async def note(tx, tenant, text="a note"):
    await tx.execute(INSERT, {"tenant": tenant, "id": ids.new(), "text": text})


async def seen(db, tenants):
    async with db.transaction(tenants) as tx:
        return await tx.scalar(COUNT)


async def test_a_transaction_commits_at_its_end_and_rolls_back_on_an_exception(db):
    tenant = ids.new()
    async with db.transaction(tenant) as tx:
        await note(tx, tenant)

    async def fail():
        async with db.transaction(tenant) as tx:
            await note(tx, tenant)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await seen(db, tenant) == 1


async def test_a_tenant_finds_its_own_rows_alone(db):
    mine, theirs = ids.new(), ids.new()
    for tenant in (mine, theirs, theirs):
        async with db.transaction(tenant) as tx:
            await note(tx, tenant)
    assert (await seen(db, mine), await seen(db, theirs), await seen(db, [mine, theirs])) == (1, 2, 3)


async def test_without_a_tenant_nothing_is_found_and_nothing_is_written(db):
    tenant = ids.new()
    async with db.transaction(tenant) as tx:
        await note(tx, tenant)
    assert await seen(db, []) == 0
    async with db.system() as tx:
        assert await tx.scalar(COUNT) == 0

    async def write():
        async with db.system() as tx:
            await note(tx, tenant)

    with pytest.raises(ProgrammingError, match="row-level security"):
        await write()


async def test_the_tenants_of_one_transaction_are_gone_in_the_next_on_its_connection(urls):
    tenant = ids.new()
    async with Database.open(urls.service_url, application="shop", pool=1) as db:
        async with db.transaction(tenant) as tx:
            await note(tx, tenant)
        async with db.system() as tx:
            assert await tx.scalar(COUNT) == 0


async def test_a_foreign_row_is_refused_and_cannot_be_changed_or_given_away(db):
    mine, theirs = ids.new(), ids.new()
    async with db.transaction(theirs) as tx:
        await note(tx, theirs)
    with pytest.raises(ProgrammingError, match="row-level security"):
        async with db.transaction(mine) as tx:
            await note(tx, theirs)
    async with db.transaction(mine) as tx:
        await note(tx, mine)
        assert (await tx.execute(sa.text("delete from notes where tenant = :t"), {"t": theirs})).rowcount == 0
        assert (await tx.execute(sa.text("update notes set text = 'x' where tenant = :t"), {"t": theirs})).rowcount == 0
    with pytest.raises(ProgrammingError, match="row-level security"):
        async with db.transaction(mine) as tx:
            await tx.execute(sa.text("update notes set tenant = :t"), {"t": theirs})
    assert (await seen(db, mine), await seen(db, theirs)) == (1, 1)


async def test_a_batch_of_several_tenants_is_one_statement(db):
    tenants = [ids.new() for _ in range(20)]
    async with db.transaction(tenants) as tx:
        connection = await raw(tx)
        await connection.execute(
            "insert into notes (tenant, id, text) select * from unnest($1::uuid[], $2::uuid[], $3::text[])",
            tenants * 5,
            [ids.new() for _ in range(100)],
            ["x"] * 100,
        )
    assert await seen(db, tenants[0]) == 5
    assert await seen(db, tenants) == 100


async def test_one_foreign_row_in_a_batch_refuses_the_batch(db):
    mine, theirs = ids.new(), ids.new()

    async def insert():
        async with db.transaction([mine]) as tx:
            connection = await raw(tx)
            await connection.execute(
                "insert into notes (tenant, id, text) select t, gen_random_uuid(), 'x' from unnest($1::uuid[]) t", [mine, theirs]
            )

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await insert()
    assert await seen(db, [mine, theirs]) == 0


async def test_the_service_owns_nothing_and_cannot_open_what_is_closed(db, system_db):
    async with db.system() as tx:
        owned = sa.text("select count(*) from pg_class where relowner = (select oid from pg_roles where rolname = current_user)")
        assert await tx.scalar(owned) == 0
        assert (
            await tx.scalar(sa.text("select bool_or(rolsuper or rolbypassrls or rolcreaterole) from pg_roles where rolname like 'shop%'"))
            is False
        )
    for statement in (
        "alter table notes disable row level security",
        "alter table notes no force row level security",
        "drop policy tenant on notes",
        "create policy all_of_it on notes using (true)",
        "truncate notes",
        "create table mine (id int)",
        "set role shop_owner",
        "set session_replication_role = replica",
        "update schema_version set version_num = 'x'",
        "copy notes from stdin",
    ):
        for database in (db, system_db):
            with pytest.raises((ProgrammingError, asyncpg.PostgresError, sa.exc.DBAPIError)):
                async with database.system() as tx:
                    await tx.exec_driver_sql(statement)


async def test_the_system_role_reaches_just_the_tables_that_were_opened_to_it(db, system_db):
    tenants = [ids.new(), ids.new()]
    async with db.transaction(tenants) as tx:
        for tenant in tenants:
            await tx.execute(sa.text("insert into letters values (:t, :i)"), {"t": tenant, "i": ids.new()})
    async with system_db.system() as tx:
        assert await tx.scalar(sa.text("select count(*) from letters")) == 2
        assert (await tx.execute(sa.text("update letters set id = gen_random_uuid()"))).rowcount == 2
    for statement in ("select count(*) from notes", "delete from letters", "insert into letters values (uuidv7(), uuidv7())"):
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with system_db.system() as tx:
                await tx.exec_driver_sql(statement)


async def test_a_savepoint_keeps_what_came_before_it(db):
    tenant = ids.new()
    async with db.transaction(tenant) as tx:
        await note(tx, tenant)
        with contextlib.suppress(ZeroDivisionError):
            async with tx.begin_nested():
                await note(tx, tenant)
                raise ZeroDivisionError
    assert await seen(db, tenant) == 1


async def test_an_error_leaves_a_connection_that_works(urls):
    tenant = ids.new()

    async def insert_twice(db):
        row = {"tenant": tenant, "id": ids.new(), "text": "x"}
        async with db.transaction(tenant) as tx:
            await tx.execute(INSERT, row)
            await tx.execute(INSERT, row)

    async with Database.open(urls.service_url, application="shop", pool=1) as db:
        for _ in range(3):
            with pytest.raises(IntegrityError):
                await insert_twice(db)
        assert await seen(db, tenant) == 0


async def test_a_cancelled_transaction_leaves_nothing_behind(urls):
    tenant = ids.new()
    async with Database.open(urls.service_url, application="shop", pool=1) as db:
        inside = asyncio.Event()

        async def slow():
            async with db.transaction(tenant) as tx:
                await note(tx, tenant)
                inside.set()
                await tx.exec_driver_sql("select pg_sleep(10)")

        for _ in range(3):
            inside.clear()
            task = asyncio.create_task(slow())
            await inside.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await seen(db, tenant) == 0


async def test_no_cancellation_at_any_moment_loses_a_connection(urls):
    tenant = ids.new()
    async with Database.open(urls.service_url, application="shop", pool=2) as db:

        async def work():
            async with db.transaction(tenant) as tx:
                await tx.scalar(COUNT)

        for step in range(60):
            task = asyncio.create_task(work())
            for _ in range(step // 3):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        async with asyncio.timeout(5):
            assert await asyncio.gather(*(seen(db, tenant) for _ in range(8))) == [0] * 8


async def test_errors_never_quote_what_was_sent(db):
    tenant = ids.new()
    with pytest.raises(sa.exc.DBAPIError) as caught:
        async with db.transaction(tenant) as tx:
            await tx.execute(
                sa.text("insert into notes (tenant, id, text) values (:tenant, null, :text)"), {"tenant": tenant, "text": "hushhush"}
            )
    from servicekit.logging import describe

    assert "hushhush" not in describe(caught.value)


async def test_every_connection_has_its_time_outs(db):
    async with db.system() as tx:
        names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "jit", "application_name", "search_path")
        known = [await tx.scalar(sa.text(f"show {name}")) for name in names]
    assert known == ["15s", "5s", "15s", "off", "shop", "shop, extensions"]


@pytest.mark.parametrize(
    ("setting", "act"),
    [
        ("lock_timeout = '50ms'", "select * from letters"),
        ("statement_timeout = '50ms'", "select pg_sleep(5)"),
    ],
)
async def test_what_takes_too_long_is_busy_and_not_away(urls, db, setting, act):
    async def wait():
        async with db.system() as tx:
            await tx.exec_driver_sql(f"set local {setting}")
            await tx.exec_driver_sql(act)

    connection = await asyncpg.connect(urls.admin_url)
    try:
        async with connection.transaction():
            await connection.execute("lock table shop.letters in access exclusive mode")
            with pytest.raises(DatabaseBusy) as caught:
                await wait()
    finally:
        await connection.close()
    assert is_busy(caught.value)
    assert not is_away(caught.value)
    assert (caught.value.status, caught.value.headers["Retry-After"]) == (503, "1")


async def test_a_deadlock_is_busy(urls, db):
    tenant, a, b = ids.new(), ids.new(), ids.new()
    async with db.transaction(tenant) as tx:
        for id in (a, b):
            await tx.execute(INSERT, {"tenant": tenant, "id": id, "text": "x"})
    barrier = asyncio.Barrier(2)

    async def cross(first, second):
        async with db.transaction(tenant) as tx:
            await tx.execute(sa.text("update notes set text = 'y' where id = :id"), {"id": first})
            await barrier.wait()
            await tx.execute(sa.text("update notes set text = 'y' where id = :id"), {"id": second})

    results = await asyncio.gather(cross(a, b), cross(b, a), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["DatabaseBusy", "NoneType"]


async def test_a_pool_that_is_empty_for_long_is_away(urls):
    async with Database.open(urls.service_url, application="shop", pool=1, patience=Patience(checkout=0.05)) as db, db.system():
        with pytest.raises(DatabaseAway):
            await db.ping()


async def test_connections_that_the_server_ended_are_not_handed_out_again(urls, db):
    async def hold():
        async with db.system() as tx:
            await tx.exec_driver_sql("select pg_sleep(0.05)")

    admin = await asyncpg.connect(urls.admin_url)
    try:
        for _ in range(10):  # the end of a connection comes in two parts, and the next transaction between them or after
            await asyncio.gather(*(hold() for _ in range(3)))
            await admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'shop'")
            for _ in range(6):
                assert await seen(db, ids.new()) == 0
    finally:
        await admin.close()


async def test_the_first_transaction_after_a_restart_of_the_server_works(db, postgres):
    if not hasattr(postgres, "restart"):
        return
    tenant = ids.new()
    async with db.transaction(tenant) as tx:
        await tx.exec_driver_sql("set local synchronous_commit = on")  # the server of the tests does without
        await note(tx, tenant)
    await asyncio.to_thread(postgres.restart)
    assert await seen(db, tenant) == 1


async def test_while_the_server_is_away_every_error_says_so_and_then_it_goes_on(db, postgres):
    if not hasattr(postgres, "kill"):
        return
    tenant = ids.new()

    async def note_with_an_accident():
        async with db.transaction(tenant) as tx:
            await note(tx, tenant)
            await asyncio.to_thread(postgres.kill)
            await note(tx, tenant)

    with pytest.raises(DatabaseAway) as caught:
        await note_with_an_accident()
    assert (caught.value.status, caught.value.code, caught.value.headers["Retry-After"]) == (503, "unavailable", "2")
    for _ in range(3):
        began = time.monotonic()
        with pytest.raises(DatabaseAway):
            await seen(db, tenant)
        assert time.monotonic() - began < 2
    with pytest.raises(DatabaseAway):
        await db.ping()
    await asyncio.to_thread(postgres.start)
    assert await seen(db, tenant) == 0


async def test_a_server_that_hangs_is_away_within_the_limits(urls, postgres):
    if not hasattr(postgres, "pause"):
        return
    tenant = ids.new()
    async with Database.open(urls.service_url, application="shop", pool=2, patience=Patience(command=0.3, connect=0.3)) as db:

        async def use():
            async with db.transaction(tenant) as tx:
                await note(tx, tenant)
                postgres.pause()
                await (await raw(tx)).fetchval("select 1")

        with pytest.raises(DatabaseAway):
            await use()
        with pytest.raises(DatabaseAway):
            await db.ping()
        postgres.resume()
        assert await seen(db, tenant) == 0


async def test_a_probe_that_gives_up_on_a_server_that_hangs_is_free_at_once(urls, postgres):
    if not hasattr(postgres, "pause"):
        return
    async with Database.open(urls.service_url, application="shop", pool=2) as db:
        await db.ping()
        postgres.pause()
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await db.ping()
        assert time.monotonic() - began < 3
        postgres.resume()
        await db.ping()


async def test_an_error_that_was_let_go_inside_is_not_taken_for_a_commit(db):
    tenant = ids.new()

    async def swallow():
        async with db.transaction(tenant) as tx:
            await note(tx, tenant)
            with contextlib.suppress(sa.exc.DBAPIError):
                await tx.exec_driver_sql("select 1/0")

    with pytest.raises(TransactionFailed):
        await swallow()
    assert await seen(db, tenant) == 0


async def test_a_time_out_of_the_callers_own_is_not_the_databases(db):
    async def use():
        async with db.system() as tx, asyncio.timeout(0.05):
            await tx.exec_driver_sql("select pg_sleep(5)")

    with pytest.raises(TimeoutError):
        await use()
    await db.ping()


async def test_a_database_that_comes_up_late_is_waited_for(urls, postgres):
    if not hasattr(postgres, "kill"):
        return
    await asyncio.to_thread(postgres.kill)

    async def use():
        async with Database.open(urls.service_url, application="shop") as db:
            return await seen(db, ids.new())

    task = asyncio.create_task(use())
    await eventually(lambda: not task.done())
    await asyncio.to_thread(postgres.start)
    assert await asyncio.wait_for(task, 20) == 0


async def test_a_database_that_never_comes_is_away_after_the_limit():
    with pytest.raises(DatabaseAway):
        async with Database.open("postgresql://shop:x@127.0.0.1:1/clarin", application="shop", patience=Patience(start=0.2)):
            pass


async def test_a_wrong_password_is_told_at_once(urls):
    with pytest.raises(sa.exc.DBAPIError, match="password authentication failed"):
        async with Database.open(urls.service_url.replace("shop-of-the-tests", "wrong"), application="shop"):
            pass


def test_errors_of_others_are_neither_away_nor_busy():
    for error in (ValueError(), OSError(), TimeoutError(), asyncpg.UniqueViolationError(), asyncpg.UndefinedTableError()):
        assert not is_away(error)
        assert not is_busy(error)
