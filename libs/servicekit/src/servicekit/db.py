"""PostgreSQL: one pool a role, one transaction a handler, the tenants it may see set in it.

``async with db.transaction(tenant) as tx:`` begins, names the tenants for row-level security in the same round trip, commits at
the end and rolls back on an exception. Nothing else begins or commits.

The transaction is begun here and not by SQLAlchemy (whose connections run in AUTOCOMMIT), so that BEGIN and the setting
travel together: a transaction with one statement costs three round trips, and not the five of pre-ping, BEGIN, set_config,
statement, COMMIT. A connection that died in the pool is noticed without asking (asyncpg knows when its socket closed), and
BEGIN, which changes nothing, is tried again on a fresh one.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

import asyncpg
import sqlalchemy as sa
import structlog
from contracts.errors import Unavailable
from contracts.ids import TenantId
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

Tx = AsyncConnection

STATEMENT_SECONDS = 15
LOCK_SECONDS = 5
IDLE_SECONDS = 15
ROLLBACK_SECONDS = 1.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How many seconds a process waits for its database.

    Attributes:
        start: For a server that is not there yet.
        checkout: For a connection, while all are in use.
        connect: For a new connection.
        command: For an answer; longer than the server's own limit, so that when it is reached nobody is at the other end.
    """

    start: float = 30.0
    checkout: float = 5.0
    connect: float = 5.0
    command: float = 20.0


PATIENCE = Patience()


class DatabaseAway(Unavailable):
    """The database does not answer; try again."""

    def __init__(self, detail: str = "") -> None:
        """Tell the caller to come back in a second or two."""
        super().__init__(detail, headers={"Retry-After": "2"})


class DatabaseBusy(Unavailable):
    """Others were working on the same rows; try again."""

    def __init__(self, detail: str = "") -> None:
        """Tell the caller to come back at once."""
        super().__init__(detail, headers={"Retry-After": "1"})


class TransactionFailed(RuntimeError):
    """A transaction was ended as if all were well, after an error in it was caught and let go.

    Catch errors outside, or inside of ``async with tx.begin_nested():``.
    """


class Database:
    """A pool of connections with one role."""

    def __init__(self, engine: AsyncEngine, pool: int) -> None:
        self._engine = engine
        self._pool = pool

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, *, application: str, pool: int = 10, patience: Patience = PATIENCE) -> AsyncIterator[Self]:
        """Connect, waiting for a server that is not there yet.

        Args:
            url: A plain ``postgresql://user:password@host:port/database``.
            application: What ``pg_stat_activity`` shows.
            pool: The most connections that this process opens with this role.

        Raises:
            DatabaseAway: Nothing answered in time.
            sqlalchemy.exc.DBAPIError: A wrong password, and other refusals that waiting does not change.
        """
        engine = create_async_engine(
            sa.make_url(url).set(drivername="postgresql+asyncpg"),
            isolation_level="AUTOCOMMIT",
            pool_size=pool,
            max_overflow=0,
            pool_timeout=patience.checkout,
            pool_use_lifo=True,
            pool_reset_on_return=None,
            skip_autocommit_rollback=True,
            hide_parameters=True,
            connect_args={
                "timeout": patience.connect,
                "command_timeout": patience.command,
                "server_settings": {
                    "application_name": application,
                    "jit": "off",
                    "statement_timeout": f"{STATEMENT_SECONDS}s",
                    "lock_timeout": f"{LOCK_SECONDS}s",
                    "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",
                },
            },
        )
        event.listen(engine.sync_engine, "checkout", _refuse_the_dead)
        database = cls(engine, pool)
        try:
            await database._wait(patience.start)
            yield database
        finally:
            await engine.dispose()

    @property
    def url(self) -> str:
        """Give the DSN, password and all: for a connection outside the pool, such as one that listens."""
        return self._engine.url.set(drivername="postgresql").render_as_string(hide_password=False)

    def transaction(self, tenants: TenantId | Iterable[TenantId]) -> AbstractAsyncContextManager[Tx]:
        """Begin a transaction that sees and writes the rows of *tenants* alone; it commits at the end.

        Raises:
            DatabaseAway: The server did not answer, or went away on the way; after a failed COMMIT nobody knows what holds.
            DatabaseBusy: A lock, a deadlock or a time-out.
        """
        some = (tenants,) if isinstance(tenants, UUID) else tenants
        array = ",".join({str(UUID(int=tenant.int)) for tenant in some})
        return self._begin(f"BEGIN; SELECT set_config('app.tenants', '{{{array}}}', true)")

    def system(self) -> AbstractAsyncContextManager[Tx]:
        """Begin a transaction that belongs to no tenant: for the role ``<service>_system``, which has its own policies."""
        return self._begin("BEGIN")

    async def ping(self) -> None:
        """Return when the server has answered.  Raises: DatabaseAway."""
        async with self.system() as tx:
            await tx.exec_driver_sql("SELECT 1")

    @asynccontextmanager
    async def _begin(self, statement: str) -> AsyncIterator[Tx]:
        try:
            tx = await self._checkout(statement)
        except Exception as error:
            raise _named(error, connecting=True) from error
        try:
            yield tx
            if await _driver(tx).execute("COMMIT") != "COMMIT":
                # what failed inside was caught there, and the server answers the COMMIT of a failed transaction with ROLLBACK
                raise TransactionFailed("A statement of this transaction had failed: nothing of it holds.")
        except BaseException as error:
            await _undo(tx)
            if isinstance(error, Exception):
                named = _named(error)
                if named is not error:
                    raise named from error
            raise
        finally:
            await asyncio.shield(tx.close())

    async def _checkout(self, statement: str) -> Tx:
        """Take a connection and begin on it; BEGIN changes nothing, so it may be tried again on another."""
        for attempt in range(self._pool + 1):  # every connection of the pool may have died without a sound
            tx = await self._engine.connect()
            try:
                await _driver(tx).execute(statement)
            except BaseException as error:
                await asyncio.shield(_drop(tx))
                if attempt == self._pool or isinstance(error, TimeoutError) or not is_away(error):
                    raise
            else:
                return tx
        raise AssertionError("unreachable")

    async def _wait(self, seconds: float) -> None:
        deadline = asyncio.get_running_loop().time() + seconds
        pause = 0.05
        while True:
            try:
                return await self.ping()
            except DatabaseAway:
                if asyncio.get_running_loop().time() > deadline:
                    raise
            log.info("waiting for the database")
            await asyncio.sleep(pause)
            pause = min(pause * 2, 1.0)


async def raw(tx: Tx) -> Any:
    """Give asyncpg's own connection below *tx*: the same connection, the same transaction."""
    return _driver(tx)


def _driver(tx: Tx) -> Any:
    if tx.sync_connection is None:
        raise RuntimeError("This transaction is over.")
    return tx.sync_connection.connection.driver_connection


_GONE = (
    asyncpg.PostgresConnectionError,  # class 08
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,  # what was the primary is a standby now
)
_BUSY = (
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.QueryCanceledError,
    asyncpg.InvalidCachedStatementError,  # a migration changed the table under a prepared statement: the next try prepares anew
)


def is_away(error: BaseException) -> bool:
    """Tell whether *error* means that the database is away, and not that something is wrong with what was asked of it."""
    if isinstance(error, DatabaseAway | PoolTimeout | InvalidatePoolError):
        return True
    if isinstance(error, DBAPIError):
        if error.connection_invalidated:
            return True
        return error.orig is not None and any(is_away(cause) for cause in (error.orig, error.orig.__cause__) if cause is not None)
    if isinstance(error, asyncpg.InterfaceError):
        return "closed" in str(error) or "reset" in str(error)
    if isinstance(error, asyncpg.InternalClientError):
        # the server's last word has come and the end of the connection has not: asyncpg still waits for the rest of it
        return "cannot switch to state" in str(error)
    return isinstance(error, _GONE) or (isinstance(error, OSError | TimeoutError) and _is_the_drivers(error))


def _is_the_drivers(error: BaseException) -> bool:
    """Tell whether asyncpg raised *error*, and not a file or another connection that the caller used meanwhile."""
    frame = error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_globals.get("__name__", "").startswith("asyncpg"):
            return True
        frame = frame.tb_next
    return False


def is_busy(error: BaseException) -> bool:
    """Tell whether *error* means that others held the rows, or that it took too long."""
    if isinstance(error, DBAPIError):
        return error.orig is not None and any(is_busy(cause) for cause in (error.orig, error.orig.__cause__) if cause is not None)
    return isinstance(error, (DatabaseBusy, *_BUSY))


def _named(error: Exception, *, connecting: bool = False) -> Exception:
    """Turn what the driver says into one of the two kinds that everyone above knows; leave the rest as it is."""
    if isinstance(error, Unavailable):
        return error
    if is_away(error) or (connecting and isinstance(error, OSError | TimeoutError)):
        return DatabaseAway()
    return DatabaseBusy() if is_busy(error) else error


def _refuse_the_dead(connection: Any, record: Any, proxy: Any) -> None:
    if connection.driver_connection.is_closed():
        raise InvalidatePoolError("The server closed this connection, and with it all that are older.")


async def _undo(tx: Tx) -> None:
    """Leave no open transaction behind: roll back, or give the connection up."""
    try:
        connection = _driver(tx)
        if not connection.is_closed():
            async with asyncio.timeout(ROLLBACK_SECONDS):  # one that has to be waited for is not worth keeping
                await connection.execute("ROLLBACK")
            return
    except asyncio.CancelledError:
        await asyncio.shield(_drop(tx))
        raise
    except Exception as error:
        log.info("a connection was given up", reason=type(error).__name__)
    await asyncio.shield(_drop(tx))


async def _drop(tx: Tx) -> None:
    try:
        _driver(tx).terminate()  # at once: a farewell to a server that hangs takes time
        await tx.invalidate()
        await tx.close()
    except Exception as error:
        log.info("a connection did not close", reason=type(error).__name__)
