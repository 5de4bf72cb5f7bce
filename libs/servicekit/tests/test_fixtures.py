import asyncpg
import pytest
from contracts.principal import Role
from servicekit.auth import Verifier

VERSION = """
from alembic import op

revision = "0001"
down_revision = None


def upgrade():
    op.execute("set local lock_timeout = '5s'")
    op.execute("create table notes (body text not null)")
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "0001_notes.py").write_text(VERSION)
    return tmp_path


async def test_every_provisioned_database_is_fresh(provisioned, folder):
    for _ in range(2):
        urls = provisioned("noting", folder)
        connection = await asyncpg.connect(urls.service_url)
        assert await connection.fetchval("select count(*) from notes") == 0
        await connection.execute("insert into notes values ('kept to this test')")
        await connection.close()


async def test_the_template_is_made_once_and_again_when_a_version_file_changes(provisioned, databases, folder):
    provisioned("noting", folder)
    provisioned("noting", folder)
    before = await names(databases.admin_url)
    (folder / "0001_notes.py").write_text(VERSION.replace("body text", "body text, more text"))
    urls = provisioned("noting", folder)
    assert len(await names(databases.admin_url)) == len(before) + 2
    connection = await asyncpg.connect(urls.service_url)
    await connection.execute("insert into notes (body, more) values ('', '')")
    await connection.close()


async def test_the_bus_is_as_new_for_each_test(bus, bus_url):
    state = await bus.stream_state("EVENTS")
    assert state.messages == 0


async def test_the_guarded_bus_lets_the_migrator_declare_and_keeps_strangers_out(guarded_nats):
    assert guarded_nats.url.startswith("nats://migrator:")
    assert guarded_nats.url_as("auth").startswith("nats://auth:")


def test_a_test_may_leave_a_server_dead(nats):
    nats.kill()
    assert not nats.alive


async def test_and_the_next_one_finds_it_running(bus):
    await bus.ping()


async def names(url):
    connection = await asyncpg.connect(url)
    try:
        return {row["datname"] for row in await connection.fetch("select datname from pg_database")}
    finally:
        await connection.close()


async def test_whoever_is_signed_in_is_believed_by_every_service(signed_in, bus):
    caller = signed_in(Role.AGENT)
    async with Verifier.open(bus) as verifier:
        assert verifier.verify(caller.token) == caller.principal
