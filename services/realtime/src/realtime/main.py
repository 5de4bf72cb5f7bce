"""Wiring of realtime."""

import asyncio
from datetime import timedelta

import structlog
from contracts.errors import Unavailable
from prometheus_client import Histogram
from redis.asyncio import Redis
from servicekit.auth import Verifier
from servicekit.bus import Bus
from servicekit.http import create_app
from servicekit.run import Service, service

from realtime.callers import Door
from realtime.domain import Limits
from realtime.feed import Feed
from realtime.presence import Presence
from realtime.settings import RealtimeSettings
from realtime.sockets import Counters, Server

_DELAYS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

log = structlog.get_logger()


async def start(settings: RealtimeSettings, process: Service) -> None:
    """Follow the stream, and open the sockets' port and the internal one where there is one."""
    bus = await process.enter(Bus.open(settings.nats_url, name="realtime"))
    verifier = await process.enter(Verifier.open(bus))
    redis = await process.enter(Redis.from_url(settings.redis_url, socket_timeout=2, socket_connect_timeout=2))
    delays = Histogram("clarin_realtime_delay_seconds", "From the stream to the sockets.", buckets=_DELAYS, registry=process.registry)
    feed = Feed(bus, history=settings.replay_events, size=settings.replay_bytes, limit=settings.replay_limit, observe=delays.observe)
    presence = Presence(bus, lambda: feed.hub, feed.chats)
    limits = Limits(
        queue_bytes=settings.socket_queue,
        sockets=settings.sockets_max,
        ping_s=settings.ping_seconds,
        idle_s=settings.idle_seconds,
        drain_s=settings.drain_seconds,
    )
    server = Server(feed=feed, door=Door(verifier, redis), presence=presence, limits=limits, counters=Counters(process.registry))

    async def caught_up() -> None:
        if not feed.ready.is_set():
            raise Unavailable("The history is still being read.")

    async def serve(stopping: asyncio.Event) -> None:
        await server.serve(settings.http_host, settings.http_port, stopping, ready=listening)

    process.health.check("bus", bus.ping)
    process.health.check("history", caught_up)
    process.background("feed", feed.run)
    process.background("presence", presence.run)
    listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    # Sockets need the time to go elsewhere, and meanwhile hear what happens.
    process.background("sockets", serve, ahead=timedelta(seconds=settings.drain_seconds + 2))
    log.info("listening", host=settings.http_host, port=await listening)
    if settings.internal_port:
        internal = create_app(title="Clarin realtime", service=process, verifier=None, routers=[])
        process.serve(internal, settings.internal_host, settings.internal_port)


def main() -> None:
    """Be realtime."""
    service("realtime", RealtimeSettings, start)
