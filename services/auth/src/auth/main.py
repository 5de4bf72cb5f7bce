"""Wiring: what is opened, in which order, and what runs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from contracts import asks, buckets
from redis.asyncio import Redis
from servicekit import idempotency, run
from servicekit.auth import Verifier
from servicekit.bus import Bus
from servicekit.db import Database
from servicekit.http import create_app
from servicekit.outbox import Relay
from servicekit.timers import every

from auth import admin, answers, consumers, limits, timers
from auth.api import ROUTERS
from auth.api.parts import Parts
from auth.keys import Keyring
from auth.passwords import Passwords
from auth.settings import AuthSettings

#: The relay, the timers and login by e-mail share it.
_SYSTEM_POOL = 5


async def start(settings: AuthSettings, service: run.Service) -> int:
    """Everything is open and runs; give the port that is served."""
    db = await service.enter(Database.open(settings.database_url, application="auth", pool=settings.database_pool))
    system = await service.enter(Database.open(settings.system_database_url, application="auth-system", pool=_SYSTEM_POOL))
    bus = await service.enter(Bus.open(settings.nats_url, name="auth"))
    redis: Redis = await service.enter(Redis.from_url(settings.redis_url, socket_timeout=2, socket_connect_timeout=2))
    vault = settings.vault
    keyring, raised, limited, mailed = Keyring(vault), asyncio.Event(), asyncio.Event(), asyncio.Event()
    keys, versions, access = await bus.bucket(buckets.KEYS), await bus.bucket(buckets.VERSIONS), await bus.bucket(buckets.ACCESS)
    await timers.hold_keys(system, vault, keyring, keys)
    parts = Parts(
        settings=settings,
        db=db,
        system=system,
        redis=redis,
        keyring=keyring,
        verifier=await service.enter(Verifier.open(bus)),
        passwords=await service.enter(Passwords(cost=settings.bcrypt_cost)),
        refresh_key=vault.derive("refresh tokens"),
        vault=vault,
        raised=raised,
        limited=limited,
        mailed=mailed,
        access=access,
        bus=bus,
    )

    async def redis_answers() -> None:
        await redis.ping()

    for name, probe in (("database", db.ping), ("bus", bus.ping), ("redis", redis_answers)):
        service.health.check(name, probe)
    service.background("outbox", Relay(system, bus, schema="auth").run)
    for name, drain, woken in (
        ("versions", lambda: timers.announce_versions(system, versions), raised),
        ("limits", lambda: limits.tell(access, system), limited),
        ("mails", lambda: timers.send_mail(db, system, vault, settings), mailed),
    ):
        if name != "mails" or settings.mails:
            service.background(name, timers.draining(name, drain, woken))
    service.background(consumers.ACTIVITY, bus.consumer(consumers.activity(db)))
    service.background(consumers.NUMBERS, bus.consumer(consumers.numbers(db, limited)))
    await limits.restore(access, system)
    await service.enter(_answering(bus, answers.exchange(db, system, keyring, access)))
    for name, interval, work in (
        ("keys", timedelta(minutes=1), lambda: timers.hold_keys(system, vault, keyring, keys)),
        ("access", timedelta(minutes=2), lambda: limits.restore(access, system)),
        ("sessions", timedelta(minutes=5), lambda: timers.expire_sessions(db, system)),
        ("forget", timedelta(hours=1), lambda: timers.forget(system)),
        ("idempotency", timedelta(hours=1), lambda: _swept(system)),
    ):
        service.background(name, every(interval, work, name=name))
    app = create_app(
        title="Clarin auth",
        service=service,
        verifier=parts.verifier,
        routers=ROUTERS,
        body_limit=64 * 1024,
        cursor_secret=settings.cursor_secret,
        state={"parts": parts},
    )
    return service.serve(app, settings.http_host, settings.http_port)


@asynccontextmanager
async def _answering(bus: Bus, exchange: Callable[[bytes], Awaitable[bytes]]) -> AsyncIterator[None]:
    subscription = await bus.answer(asks.KEY, exchange, queue="auth")
    try:
        yield
    finally:
        await subscription.close()


async def _swept(system: Database) -> None:
    await idempotency.sweep(system)


def main(arguments: Sequence[str]) -> int:
    """Be the service, or do what the operator orders; give the exit code."""
    if arguments:
        return admin.main(arguments)
    run.service("auth", AuthSettings, _begin)
    return 0


async def _begin(settings: AuthSettings, service: run.Service) -> None:
    await start(settings, service)
