import asyncio
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from servicekit.migrations import current, names, provision
from servicekit.testing.databases import within

MIGRATIONS = Path(__file__).parent / "migrations"
ODD = 'it\'s \\ "odd" %s {} é'


OF_THE_TESTS = "of the tests"


def passwords(service, password=OF_THE_TESTS):
    return dict.fromkeys(names(service)[2:], password)


async def fetch(url, query, *values):
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetch(query, *values)
    finally:
        await connection.close()


async def shape(url, schema):
    """Everything that provisioning makes, as rows to compare."""
    return [
        *await fetch(
            url, "select table_name, column_name, data_type from information_schema.columns where table_schema = $1 order by 1, 2", schema
        ),
        *await fetch(url, "select tablename, policyname, roles, cmd, qual from pg_policies where schemaname = $1 order by 1, 2", schema),
        *await fetch(
            url,
            "select relname, relacl::text, pg_get_userbyid(relowner) from pg_class where relnamespace = $1::regnamespace order by 1",
            schema,
        ),
        *await fetch(url, "select rolname, rolcanlogin, rolconfig from pg_roles where starts_with(rolname, $1) order by 1", schema),
    ]


@pytest.mark.parametrize(
    ("service", "schema"), [("auth", "auth"), ("device-worker", "devices"), ("devices", "devices"), ("web-hooks", "web_hooks")]
)
def test_schema_and_roles_have_the_name_on_the_bus(service, schema):
    assert names(service) == (schema, f"{schema}_owner", schema, f"{schema}_system")


@pytest.mark.parametrize("service", ["", "Auth", 'a"b', "a;b", "a b", "é", "x" * 41])
def test_what_cannot_stand_in_sql_is_no_name(service):
    with pytest.raises(ValueError, match="no name of a service"):
        names(service)


async def test_provisioning_twice_changes_nothing(empty_database):
    url = empty_database()
    await provision(url, "store", MIGRATIONS, passwords("store"))
    first = await shape(url, "store")
    await provision(url, "store", MIGRATIONS, passwords("store"))
    assert await shape(url, "store") == first
    assert await current(url, "store", MIGRATIONS) == ("0002", "0002")


async def test_provisioning_at_the_same_time_in_one_database_and_in_others_works(empty_database):
    urls = [empty_database() for _ in range(3)]
    await asyncio.gather(*(provision(url, "bazaar", MIGRATIONS, passwords("bazaar")) for url in [*urls, *urls]))
    shapes = [await shape(url, "bazaar") for url in urls]
    assert shapes[0] == shapes[1] == shapes[2]
    assert len(shapes[0]) > 20


async def test_two_services_share_a_database_and_see_nothing_of_each_other(empty_database):
    url = empty_database()
    for service in ("left", "right"):
        await provision(url, service, MIGRATIONS, passwords(service))
    connection = await asyncpg.connect(within(url, urlsplit(url).path[1:], "left", "of the tests"))
    try:
        assert await connection.fetchval("select count(*) from notes") == 0
        for statement in ('select * from "right".notes', 'create table "right".mine (id int)', "create table public.mine (id int)"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


async def test_a_password_of_any_characters_works_and_is_never_sent_as_it_is(empty_database):
    url = empty_database()
    await provision(url, "kiosk", MIGRATIONS, passwords("kiosk", ODD))
    place = urlsplit(url)
    connection = await asyncpg.connect(host=place.hostname, port=place.port, user="kiosk", password=ODD, database=place.path[1:])
    await connection.close()
    (row,) = await fetch(url, "select rolpassword from pg_authid where rolname = 'kiosk'")
    assert row["rolpassword"].startswith("SCRAM-SHA-256$4096:")


async def test_a_changed_password_is_taken_over_and_an_unchanged_one_left_alone(empty_database):
    url = empty_database()
    stored = "select rolpassword from pg_authid where rolname = 'stall'"
    await provision(url, "stall", MIGRATIONS, passwords("stall"))
    first = await fetch(url, stored)
    await provision(url, "stall", MIGRATIONS, passwords("stall"))
    assert await fetch(url, stored) == first
    await provision(url, "stall", MIGRATIONS, passwords("stall", "another"))
    assert await fetch(url, stored) != first
    connection = await asyncpg.connect(within(url, urlsplit(url).path[1:], "stall", "another"))
    await connection.close()


async def test_a_role_without_a_password_is_refused_before_anything_is_made(empty_database):
    url = empty_database()
    with pytest.raises(ValueError, match="tent_system needs a password"):
        await provision(url, "tent", MIGRATIONS, {"tent": "x"})
    assert await fetch(url, "select 1 from pg_roles where rolname like 'tent%'") == []


async def test_a_migration_that_fails_leaves_the_version_before_it_and_can_be_mended(empty_database, tmp_path):
    url = empty_database()
    (tmp_path / "0001_first.py").write_text(version("0001", None, "create table one (id int)"))
    broken = tmp_path / "0002_second.py"
    broken.write_text(version("0002", "0001", "create table two (id int)", "select 1/0"))
    with pytest.raises(Exception, match="division by zero"):
        await provision(url, "booth", tmp_path, passwords("booth"))
    assert await current(url, "booth", tmp_path) == ("0001", "0002")
    broken.write_text(version("0002", "0001", "create table two (id int)"))
    await provision(url, "booth", tmp_path, passwords("booth"))
    assert await current(url, "booth", tmp_path) == ("0002", "0002")


def version(revision, before, *statements):
    lines = [f"    op.execute({statement!r})" for statement in statements]
    return "\n".join(["from alembic import op", f"revision = {revision!r}", f"down_revision = {before!r}", "def upgrade():", *lines, ""])


async def test_a_migration_does_not_wait_long_for_a_lock(empty_database, tmp_path):
    url = empty_database()
    (tmp_path / "0001_first.py").write_text(
        version("0001", None, "create table one (id int, waited text default current_setting('lock_timeout'))")
    )
    await provision(url, "cart", tmp_path, passwords("cart"))
    (tmp_path / "0002_second.py").write_text(version("0002", "0001", "insert into one (id) values (1)"))
    await provision(url, "cart", tmp_path, passwords("cart"))
    (row,) = await fetch(url, "select waited from cart.one")
    assert row["waited"] == "5s"


async def test_a_folder_without_versions_makes_roles_and_schema(empty_database, tmp_path):
    url = empty_database()
    await provision(url, "empty", tmp_path, passwords("empty"))
    assert await current(url, "empty", tmp_path) == (None, None)
    connection = await asyncpg.connect(within(url, urlsplit(url).path[1:], "empty", "of the tests"))
    await connection.close()


async def test_it_is_enough_to_be_allowed_to_make_roles_and_schemas(empty_database, tmp_path):
    url = empty_database()
    database = urlsplit(url).path[1:]
    await fetch(url, "create role landlord login createrole password 'x'")
    await fetch(url, f'grant create on database "{database}" to landlord')
    try:
        await provision(within(url, database, "landlord", "x"), "yard", MIGRATIONS, passwords("yard"))
        await provision(within(url, database, "landlord", "x"), "yard", MIGRATIONS, passwords("yard"))
        assert await current(url, "yard", MIGRATIONS) == ("0002", "0002")
    finally:
        await fetch(url, "drop owned by yard_owner, landlord cascade")
        for role in ("yard", "yard_system", "yard_owner", "landlord"):
            await fetch(url, f"drop role {role}")


def test_the_command_line_provisions_and_names_what_is_missing(empty_database):
    url = empty_database()

    def run(**environment):
        return subprocess.run(
            [sys.executable, "-m", "servicekit.migrations", "provision", f"arcade={MIGRATIONS}"],
            env={"PATH": os.environ["PATH"], **environment},
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )

    good = {"CLARIN_ADMIN_DATABASE_URL": url, "CLARIN_PASSWORD_ARCADE": "a", "CLARIN_PASSWORD_ARCADE_SYSTEM": "b"}
    for name in good:
        ended = run(**{key: value for key, value in good.items() if key != name})
        assert ended.returncode == 78
        assert ended.stderr.startswith(f"clarin migrations: {name} is missing: ")
    ended = run(**good)
    assert (ended.returncode, ended.stdout) == (0, "arcade: up to date\n"), ended.stderr
