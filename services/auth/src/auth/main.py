"""Wiring: what is opened, in which order, and what runs."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from contracts import buckets
from redis.asyncio import Redis
from servicekit import idempotency, run
from servicekit.auth import Verifier
from servicekit.bus import Bus
from servicekit.db import Database
from servicekit.http import create_app
from servicekit.outbox import Relay
from servicekit.timers import every

from auth import admin, timers
from auth.api import ROUTERS
from auth.api.parts import Parts
from auth.keys import Keyring, Vault
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
    vault = Vault(settings.key)
    keyring, raised = Keyring(vault), asyncio.Event()
    keys, versions = await bus.bucket(buckets.KEYS), await bus.bucket(buckets.VERSIONS)
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
        raised=raised,
    )

    async def redis_answers() -> None:
        await redis.ping()

    for name, probe in (("database", db.ping), ("bus", bus.ping), ("redis", redis_answers)):
        service.health.check(name, probe)
    service.background("outbox", Relay(system, bus, schema="auth").run)
    service.background("versions", timers.announce_versions(system, versions, raised))
    for name, interval, work in (
        ("keys", timedelta(minutes=1), lambda: timers.hold_keys(system, vault, keyring, keys)),
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
