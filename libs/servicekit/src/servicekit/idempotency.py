"""A POST that is sent twice with one ``Idempotency-Key`` is done once, and answered twice the same.

The answer is stored in the transaction of the effect, so there is no moment in which one holds without the other::

    async with db.transaction(caller.tenant) as tx:
        if stored := await idem.begin(tx):
            return stored.response()
        …
        return await idem.finish(tx, 202, encoded)
"""

import hashlib
from collections.abc import Iterable
from typing import Annotated
from uuid import UUID

import msgspec
import sqlalchemy as sa
from contracts.errors import Conflict
from contracts.ids import TenantId
from contracts.principal import Principal
from fastapi import Depends, Header, Request
from starlette.responses import Response

from servicekit.db import Database, Tx, raw
from servicekit.http.callers import Caller

KEPT_HOURS = 24
_SWEEP = 1000


class InFlight(Conflict):
    """A request with this Idempotency-Key is being answered right now."""

    code = "idempotency-in-flight"


class Mismatch(Conflict):
    """This Idempotency-Key was used for another request."""

    code = "idempotency-mismatch"


class Stored(msgspec.Struct, frozen=True):
    """The answer that was given the first time."""

    status: int
    body: bytes

    def response(self) -> Response:
        """Give the answer again, marked as such."""
        return Response(self.body, self.status, {"Idempotency-Replayed": "true"}, media_type="application/json")


async def begin(tx: Tx, caller: Principal, key: str, fingerprint: bytes) -> Stored | None:
    """Hold *key* until *tx* ends; give the answer that it has already, or None when the work is to be done.

    Raises:
        InFlight: Another transaction holds it.
        Mismatch: It was used with another fingerprint.
    """
    connection = await raw(tx)
    number = int.from_bytes(hashlib.sha256(caller.tenant.bytes + caller.id.bytes + key.encode()).digest()[:8], signed=True)
    if not await connection.fetchval("select pg_try_advisory_xact_lock($1)", number):
        raise InFlight("Wait for its answer.")
    # a statement of its own: one that also took the lock would look with a snapshot from before it
    row = await connection.fetchrow(
        "select status, body, fingerprint from idempotency "
        "where tenant = $1 and principal = $2 and key = $3 and made_at > now() - make_interval(hours => $4)",
        UUID(int=caller.tenant.int),
        UUID(int=caller.id.int),
        key,
        KEPT_HOURS,
    )
    if row is None:
        return None
    if row["fingerprint"] != fingerprint:
        raise Mismatch("Take a new key for a new request.")
    return Stored(row["status"], row["body"])


async def finish(tx: Tx, caller: Principal, key: str, fingerprint: bytes, status: int, body: bytes) -> None:
    """Store the answer; it is given again to whoever sends *key* within a day."""
    connection = await raw(tx)
    await connection.execute(
        "insert into idempotency (tenant, principal, key, fingerprint, status, body) values ($1, $2, $3, $4, $5, $6) "
        "on conflict (tenant, principal, key) do update set fingerprint = excluded.fingerprint, status = excluded.status, "
        "body = excluded.body, made_at = now()",  # only a row that is older than a day can be in the way
        UUID(int=caller.tenant.int),
        UUID(int=caller.id.int),
        key,
        fingerprint,
        status,
        body,
    )


async def forget(tx: Tx, tenant: TenantId, texts: Iterable[str]) -> int:
    """No kept answer of *tenant* has one of *texts* as a whole JSON text; a repeat of such a request is a new one."""
    result = await (await raw(tx)).execute(
        "delete from idempotency i where tenant = $1 "
        "and exists (select from unnest($2::bytea[]) as n (needle) where position(needle in i.body) > 0)",
        UUID(int=tenant.int),
        [msgspec.json.encode(text) for text in texts],
    )
    return int(result.rpartition(" ")[2])


async def sweep(db: Database) -> int:
    """Delete what is older than a day, with the system role's database; give how many rows that were."""
    total = 0
    while True:
        async with db.system() as tx:
            result = await tx.execute(_OLD, {"most": _SWEEP, "hours": KEPT_HOURS})
        total += result.rowcount
        if result.rowcount < _SWEEP:
            return total


_OLD = sa.text(
    "delete from idempotency where (tenant, principal, key) in "
    "(select tenant, principal, key from idempotency where made_at < now() - make_interval(hours => :hours) limit :most)"
)


class Idempotency:
    """The key of one request, if it has one; without, `begin` and `finish` do nothing.

    Attributes:
        fingerprint: Of method, path and body. A multipart body is not read here: set it from the fields.
    """

    def __init__(self, caller: Principal, key: str | None, fingerprint: bytes) -> None:
        self.caller = caller
        self.key = key
        self.fingerprint = fingerprint

    async def begin(self, tx: Tx) -> Stored | None:
        """Give the answer that the key has already.  Raises: InFlight, Mismatch."""
        return None if self.key is None else await begin(tx, self.caller, self.key, self.fingerprint)

    async def finish(self, tx: Tx, status: int, body: bytes) -> Response:
        """Store the answer with the key, and give it as a response."""
        if self.key is not None:
            await finish(tx, self.caller, self.key, self.fingerprint, status, body)
        return Response(body, status, media_type="application/json")


def fingerprint(*parts: bytes | str) -> bytes:
    """Give one hash for *parts*, each with its length before it."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8) + data)
    return digest.digest()


async def _idempotency(
    request: Request,
    caller: Caller,
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=200,
            pattern=r"^[\x21-\x7e]+$",
            description="Any text of yours: the same request with the same key within a day is done once.",
        ),
    ] = None,
) -> Idempotency:
    body = b""
    if key is not None and not request.headers.get("content-type", "").startswith("multipart/"):
        body = await request.body()
    return Idempotency(caller, key, fingerprint(request.method, request.url.path, body))


#: A handler's ``idem: Idempotent``.
Idempotent = Annotated[Idempotency, Depends(_idempotency)]
