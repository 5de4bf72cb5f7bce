"""whatsmeow's own database, as far as the library does not offer it: whether it is there, and whether a device is in it.

whatsmeow acknowledges a message whose keys it cannot read, and the customer's text is gone until the phone encrypts it
again. So the moment the database goes away must be noticed first: a connection of our own is told by the server when it
stops, and by its socket when it dies, before whatsmeow's next query fails.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import asyncpg
import structlog
from contracts.whatsapp import Address

log = structlog.get_logger()

_CONNECT_SECONDS = 3.0
_PROBE_EVERY = 0.25
_ASK_EVERY = 2.0
_LOCK_SECONDS = 30
#: The name of the advisory lock under which the library's tables are made.
_UPGRADES = 0x776861747361


def pooled(url: str) -> str:
    """Write the address of a pooler in transaction mode so that the library can work through it.

    Without binary parameters the driver prepares each statement on one connection and uses it on another. And its
    time-out for idle connections, which the server would be told in ``options``, is the pooler's affair.
    """
    return f"{url}{'&' if urlsplit(url).query else '?'}binary_parameters=yes"


async def alone(url: str, work: Callable[[], None]) -> None:
    """Do *work*, which blocks, while no other process does so on the same database.

    With the database away, or another one at it for very long, *work* is done all the same: it finds out by itself.

    Args:
        url: As the library has it, also through a pooler in transaction mode: the lock is a transaction's.
    """
    connection: asyncpg.Connection | None = None
    try:
        try:
            connection = await asyncpg.connect(urlsplit(url)._replace(query="").geturl(), timeout=_CONNECT_SECONDS, statement_cache_size=0)
            await connection.execute(f"begin; set local lock_timeout = '{_LOCK_SECONDS}s'; select pg_advisory_xact_lock({_UPGRADES})")
        except Errors as error:
            log.info("whatsapp.store_not_locked", reason=type(error).__name__)
        work()
    finally:
        if connection is not None:
            connection.terminate()


#: The library's tables that know other people, by which column, and whether it holds the address of a cipher's session.
_OF_PERSONS = (
    ("whatsmeow_contacts", "their_jid", False),
    ("whatsmeow_chat_settings", "chat_jid", False),
    ("whatsmeow_message_secrets", "chat_jid", False),
    ("whatsmeow_message_secrets", "sender_jid", False),
    ("whatsmeow_privacy_tokens", "their_jid", False),
    ("whatsmeow_retry_buffer", "chat_jid", False),
    ("whatsmeow_sessions", "their_id", True),
    ("whatsmeow_identity_keys", "their_id", True),
    ("whatsmeow_sender_keys", "sender_id", True),
)
_SERVERS = {"pn": "s.whatsapp.net", "lid": "lid"}
_FORGET_SECONDS = 10.0

Errors = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


class StoreAway(Exception):
    """whatsmeow's database does not answer."""


class Store:
    """Watches the database; `there` is set while it answers."""

    def __init__(self, url: str, *, pooler: str | None = None, on_change: Callable[[bool], None]) -> None:
        """Call *on_change* on the loop, with False when the database goes and True when it is back.

        Args:
            pooler: What the library's connections go through, where they do: with it away the database is away.
        """
        self._url, self._pooler_url = url, pooler
        self._pooler: asyncpg.Connection | None = None
        self._on_change = on_change
        self._loop = asyncio.get_running_loop()
        self._doubt = asyncio.Event()
        self.there = asyncio.Event()
        self._connection: asyncpg.Connection | None = None
        self._lock = asyncio.Lock()

    def suspect(self) -> None:
        """Count it as away until it has answered again; from any thread."""
        self._loop.call_soon_threadsafe(self._gone)

    async def exists(self, jid: str) -> bool:
        """Tell whether the device is in the store.  Raises: StoreAway."""
        return bool(await self._ask("select 1 from whatsmeow_device where jid = $1", jid))

    async def forget(self, jid: str) -> None:
        """Delete the device's keys and sessions, when WhatsApp cannot be told.  Raises: StoreAway."""
        await self._ask("delete from whatsmeow_device where jid = $1 returning 1", jid)

    async def forget_person(self, ours: Sequence[str], addresses: Sequence[Address]) -> int:
        """The numbers *ours* know nothing of who has these addresses; tells how many rows that were.  Raises: StoreAway.

        Their sessions go as well: of whoever writes again, the library cannot read the first message and asks for it once more.
        """
        async with self._lock:
            try:
                async with asyncio.timeout(_FORGET_SECONDS):
                    connection = await self._connected()
                    async with connection.transaction():
                        return await _forget_person(connection, ours, addresses)
            except Errors as error:
                await self._drop()
                raise StoreAway(type(error).__name__) from error

    async def forget_keys(self, ours: str, chat: str, sender: str) -> None:
        """The device *ours* has no session with the device *sender* any more, and none of its keys for the group *chat*.

        The addresses are as whatsmeow writes them. What comes next from there cannot be read, and is asked for anew.

        Raises:
            StoreAway: Nothing was forgotten.
        """
        name, _, server = sender.partition("@")
        user, _, device = name.partition(":")
        lid = server == _SERVERS["lid"]
        await self._ask(
            """
            with person as (
                select $2::text as name, $3::boolean as lid
                union select case when $3 then pn else lid end, not $3 from whatsmeow_lid_map where case when $3 then lid else pn end = $2
            ), keys as (
                select person.name || case when person.lid then '_1' else '' end || ':' || $4::text as address from person
            ), sessions as (
                delete from whatsmeow_sessions where our_jid = $1 and their_id in (select address from keys)
            )
            delete from whatsmeow_sender_keys where our_jid = $1 and chat_id = $5 and sender_id in (select address from keys)
            """,
            ours,
            user,
            lid,
            device or "0",
            chat,
        )

    async def run(self, stopping: asyncio.Event) -> None:
        """Watch until *stopping*."""
        try:
            while not stopping.is_set():
                self._doubt.clear()
                try:
                    await self._probe()
                except StoreAway as error:
                    self._gone()
                    log.info("whatsapp.store_away", reason=str(error))
                    await _either(stopping, stopping, _PROBE_EVERY)
                    continue
                if not self.there.is_set():
                    self.there.set()
                    self._on_change(True)
                await _either(self._doubt, stopping, _ASK_EVERY)
        finally:
            await self._drop()
            await self._drop_pooler()

    async def _probe(self) -> None:
        await self._ask("select 1")
        if self._pooler_url is None:
            return
        async with self._lock:
            try:
                async with asyncio.timeout(_CONNECT_SECONDS):
                    if self._pooler is None or self._pooler.is_closed():
                        self._pooler = await asyncpg.connect(self._pooler_url, timeout=_CONNECT_SECONDS, statement_cache_size=0)
                        self._pooler.add_termination_listener(self._terminated)
                    await self._pooler.execute("select 1")  # without arguments, it is not prepared
            except Errors as error:
                await self._drop_pooler()
                raise StoreAway(f"pooler: {type(error).__name__}") from error

    async def _ask(self, statement: str, *arguments: object) -> object:
        async with self._lock:
            try:
                async with asyncio.timeout(_CONNECT_SECONDS):
                    return await (await self._connected()).fetchval(statement, *arguments)
            except Errors as error:
                await self._drop()
                raise StoreAway(type(error).__name__) from error

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(
                self._url, timeout=_CONNECT_SECONDS, server_settings={"application_name": "devices-store-watch"}
            )
            self._connection.add_termination_listener(self._terminated)
        return self._connection

    def _terminated(self, _: object) -> None:
        self._gone()

    def _gone(self) -> None:
        self._doubt.set()
        if self.there.is_set():
            self.there.clear()
            self._on_change(False)

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        await self._close(connection)

    async def _drop_pooler(self) -> None:
        connection, self._pooler = self._pooler, None
        await self._close(connection)

    async def _close(self, connection: asyncpg.Connection | None) -> None:
        if connection is not None:
            connection.remove_termination_listener(self._terminated)
            with contextlib.suppress(*Errors):
                connection.terminate()


async def _forget_person(c: asyncpg.Connection, ours: Sequence[str], addresses: Sequence[Address]) -> int:
    there = {row[0] for row in await c.fetch("select table_name from information_schema.tables where table_name like 'whatsmeow%'")}
    users = [address.value for address in addresses if address.kind in _SERVERS]
    jids = [f"{address.value}@{_SERVERS[address.kind]}" for address in addresses if address.kind in _SERVERS]
    # A LID is written with its agent, a device behind a colon: 5215550001111:12, 104200000000001_1:0.
    keys = [f"{user}{agent}:%" for user in users for agent in ("", r"\_1")]
    removed = 0
    for table, column, like in _OF_PERSONS:
        if table in there:
            matches = f"{column} like any($2::text[])" if like else f"{column} = any($2::text[])"
            tag = await c.execute(f"delete from {table} where our_jid = any($1::text[]) and {matches}", list(ours), keys if like else jids)  # noqa: S608
            removed += int(tag.rpartition(" ")[2])
    if "whatsmeow_lid_map" in there:
        # It is everybody's: what another account's number still talks to stays.
        tag = await c.execute(
            """
            delete from whatsmeow_lid_map m where (m.lid = any($1::text[]) or m.pn = any($1::text[])) and not exists (
                select from whatsmeow_sessions s where s.their_id like m.pn || ':%' or s.their_id like m.lid || E'\\\\_1:%')
            """,
            users,
        )
        removed += int(tag.rpartition(" ")[2])
    return removed


async def _either(one: asyncio.Event, other: asyncio.Event, timeout: float) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in {one, other}]
    try:
        await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
