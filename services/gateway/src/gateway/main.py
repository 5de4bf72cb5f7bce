"""Wiring of the gateway."""

import asyncio
import socket
import sys
import time

import structlog
from contracts import asks, routes
from servicekit.auth import Verifier
from servicekit.bus import Bus
from servicekit.http import create_app
from servicekit.run import Service, service

from gateway import api
from gateway.admission import Admission
from gateway.edge import Edge
from gateway.keys import Keys
from gateway.lookout import Lookout
from gateway.panel import Panel
from gateway.rates import Rates
from gateway.record import AccessLog, Recorder
from gateway.responses import Cors
from gateway.settings import GatewaySettings
from gateway.tally import Tally
from gateway.upstream import Pool

#: A socket holds its connection for as long as it lives, so they are not counted like the others.
_SOCKETS = 65_536

log = structlog.get_logger()


async def start(settings: GatewaySettings, process: Service) -> None:
    """Open the public port, and the internal one where there is one."""
    bus = await process.enter(Bus.open(settings.nats_url, name="gateway"))
    verifier = await process.enter(Verifier.open(bus))
    process.health.check("bus", bus.ping)
    limits = settings.bounds()
    cors = Cors(settings.origins())
    urls = {
        "auth": settings.url_auth,
        "device-worker": settings.url_device_worker,
        "conversations": settings.url_conversations,
        "pipeline": settings.url_pipeline,
        "bot": settings.url_bot,
        "webhooks": settings.url_webhooks,
        "realtime": settings.url_realtime,
    }
    pools = {
        name: Pool(name, url, limit=_SOCKETS if name == "realtime" else settings.upstream_connections, connect_s=limits.connect_s)
        for name, url in urls.items()
    }
    access_log = AccessLog(sys.stdout.buffer) if settings.access_log else None
    recorder = Recorder(access_log=access_log, registry=process.registry)
    rates = Rates(settings.rates(), time.monotonic)
    tally = Tally(settings.redis_url, rates, registry=process.registry)
    process.background("tally", tally.run)
    process.background("lookout", Lookout(tuple(pools.values())).run)
    admission = Admission(
        pools=pools,
        own=api.own(settings, process.health, process.registry, api.Documents({name: urls[name] for name in routes.PUBLIC})),
        panel=Panel(settings.panel_dir),
        verify=verifier.verify,
        keys=Keys(lambda question: bus.ask(asks.KEY, question)),
        rates=rates,
        take=tally.take,
        cors=cors,
        limits=limits,
    )
    edge = Edge(admit=admission, record=recorder, limits=limits, cors=cors, trusted=settings.trusted(), pools=tuple(pools.values()))
    recorder.clients.set_function(lambda: len(edge.clients))
    listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def serve(_: asyncio.Event) -> None:
        # The port closes as soon as the process is told to stop: it is what HTTP is elsewhere, not a background part.
        given = None if settings.http_fd is None else socket.socket(fileno=settings.http_fd)
        await edge.serve(
            settings.http_host,
            settings.http_port,
            process.stopping,
            ready=listening.set_result,
            given=given,
            goodbye_s=settings.http_drain,
        )
        if access_log is not None:
            access_log.flush()

    process.background("edge", serve)
    log.info("listening", host=settings.http_host, port=await listening)
    if settings.internal_port:
        internal = create_app(title="Clarin gateway", service=process, verifier=None, routers=[])
        process.serve(internal, settings.internal_host, settings.internal_port)


def main() -> None:
    """Be the gateway."""
    service("gateway", GatewaySettings, start)
