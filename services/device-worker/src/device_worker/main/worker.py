"""Wiring of a worker: its volume, the session host, the journal, its leases, and what runs for the shards that it holds."""

import asyncio
import contextlib
import os
import resource
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import structlog
from prometheus_client import Gauge
from servicekit.bus import Bus
from servicekit.db import Database
from servicekit.outbox import Relay
from servicekit.probes import create_app
from servicekit.run import Service
from servicekit.timers import every

from device_worker import blocks, domain, erasing, leases
from device_worker.connects import Connects
from device_worker.domain import Device
from device_worker.host.remote import Client, Hooks, Host
from device_worker.journal import Pump, Reader, Record
from device_worker.leases import Leases
from device_worker.media import Downloads, Uploads
from device_worker.sends import Sends
from device_worker.sessions import Acquaintances, Activity, Attention, Filters, Groups, Inbound, Pause, SessionLoad, Sessions, Tools
from device_worker.sessions.supervisor import POLL_SECONDS
from device_worker.settings import WorkerSettings
from device_worker.shards import shard_of
from device_worker.store import wakes
from device_worker.vitals import LOSS_WINDOWS, MEASURE_EVERY, Limits, Vitals
from device_worker.whatsapp import Store, pooled

log = structlog.get_logger()

#: Of the journal's capacity: from here on nothing more is let in, and down to there it must drain before it is.
_NEARLY_FULL = 0.8
_DRAINED = 0.2
_JOURNAL_LOOK = timedelta(milliseconds=250)
_JOURNAL_WIPE = timedelta(seconds=5)
_SENDS_POLL = timedelta(seconds=1)
_KEEP_ACTIVITY = timedelta(seconds=30)

JOURNAL_DEPTH = Gauge("clarin_devices_journal_bytes", "Bytes in the journal that the bus does not have yet.")


def raise_file_limit() -> None:
    """Let the process open as many files as it may: a session has four or five, and the usual limit is 1,024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@dataclass(frozen=True, slots=True)
class Worker:
    """The parts that start and stop in each other's order."""

    leases: Leases
    pump: Pump
    store: Store
    host: Host

    async def run(self, stopping: asyncio.Event) -> None:
        """Hold shards until *stopping*; then sends, sessions, leases, host, store and journal end, in this order."""
        ended, off = asyncio.Event(), asyncio.Event()
        parts = [asyncio.create_task(part(ended)) for part in (self.pump.run, self.store.run)]
        hosting = asyncio.create_task(self.host.run(off))
        holding = asyncio.create_task(self.leases.run(stopping))
        try:
            await asyncio.wait([*parts, hosting, holding], return_when=asyncio.FIRST_COMPLETED)
            for part in (*parts, hosting):
                if part.done():
                    part.result()
            await holding
        finally:
            off.set()
            await asyncio.wait([hosting])
            await self.host.close()
            ended.set()
            await asyncio.gather(*parts)


async def start(settings: WorkerSettings, process: Service) -> None:
    """Hold sessions."""
    raise_file_limit()
    name, lock = await asyncio.to_thread(leases.own_volume, settings.data_dir, settings.worker_id)  # the lock lives as long as we do
    structlog.contextvars.bind_contextvars(worker=name)
    pause = Pause()
    background: set[asyncio.Task[None]] = set()

    def apart(work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        background.add(task)
        task.add_done_callback(background.discard)

    def hold(reason: str, holds: bool) -> None:
        """Hang up every session for *reason*, or let them connect again: WhatsApp keeps the messages meanwhile."""
        if pause.set(reason, holds):
            log.warning("sessions.held" if holds else "sessions.released", reason=reason)
            if holds:
                apart(sessions.hang_up())

    def on_up(journal: Reader) -> None:
        pump.take(journal)
        hold(domain.RESTARTED, False)

    def on_store(there: bool) -> None:
        if not there:
            LOSS_WINDOWS.labels(domain.STORE_AWAY).inc()
        hold(domain.STORE_AWAY, not there)

    def on_host_lost() -> None:
        LOSS_WINDOWS.labels("host-died").inc()
        hold(domain.RESTARTED, True)

    through = settings.whatsapp_pooler_url
    store = Store(settings.whatsapp_database_url, pooler=through, on_change=on_store)

    async def publish(records: Sequence[Record]) -> None:
        activity.heard({record.device for record in records})
        await inbound.publish(records)

    pump = Pump(settings.journal_folder, publish)
    host = Host(
        store=pooled(through) if through else settings.whatsapp_database_url,
        journal=settings.journal_folder,
        segment=settings.journal_segment_bytes,
        capacity=settings.journal_bytes,
        log_level=settings.log_level,
        worker=name,
        lock=lock,
        hooks=Hooks(up=on_up, lost=on_host_lost, store_failed=store.suspect, appended=pump.wake),
    )
    hosting = asyncio.create_task(host.start())  # it loads the library while we connect
    system = await process.enter(Database.open(settings.system_database_url, application="devices-worker", pool=settings.database_pool))
    bus = await process.enter(Bus.open(settings.nats_url, name=f"devices-{name}"))
    activity = Activity(system)
    acquaintances = Acquaintances(system)
    filters = Filters(system, lambda device: sessions.device(device), groups=settings.groups)

    def here(device: UUID) -> tuple[Device, Client | None] | None:
        known, session = sessions.device(device), sessions.connected(device)
        return None if known is None else (known, None if session is None else session.client)

    attention, groups = Attention(bus, here), Groups(bus, here)
    inbound = Inbound(bus, settings.data_dir / "unreadable", acquaintances, groups, filters, history=settings.history_messages)

    async def gained(tokens: Mapping[int, int], handed: Collection[int]) -> None:
        await sessions.gained(tokens, handed)
        sends.gained(tokens)

    async def lost(some: Iterable[int]) -> None:
        gone = list(some)
        await sends.lost(gone)
        await sessions.lost(gone)

    load = SessionLoad(settings.sessions_max, system, lambda: sessions, lambda: vitals.report)
    held = Leases(bus, system, name, gained=gained, lost=lost, load=load, before_end=host.finish)
    connects = Connects(
        bus,
        at_once=settings.connects_at_once,
        rate=settings.connects_per_second,
        active=activity.last,
        workers=lambda: len(held.others) + 1,
    )

    def recycle(what: str) -> None:
        """Hand everything over and end: whoever keeps this process starts it anew."""
        if any(other.recycling or not other.accepting for other in held.others):
            return  # one after the other
        log.warning("worker.recycles", what=what)
        held.recycle()
        process.stopping.set()

    def on_connected(device: Device) -> None:
        held.came_up(shard_of(device.id))
        sends.wake(device.id)
        attention.connected(device.id)
        blocking.connected(device.id)

    sessions = Sessions(
        Tools(
            bus=bus,
            system=system,
            host=host,
            store=store,
            leases=held,
            pause=pause,
            connects=connects,
            activity=activity,
            capacity=settings.sessions_max,
            pairings=asyncio.Semaphore(settings.pairings_max),
            # A child takes a processor until it has loaded the library: more of them at once keep everything else from running.
            loads=asyncio.Semaphore(max(2, len(os.sched_getaffinity(0)))),
            vault=settings.vault,
            on_connected=on_connected,
            on_typing=attention.seen,
            on_group=groups.changed,
        )
    )
    sends = Sends(system, sessions, held, Uploads(settings.objects))
    blocking = blocks.Blocks(system, sessions, held)
    downloads = Downloads(bus, settings.objects, at_once=settings.downloads_at_once)
    vitals = Vitals(
        host=lambda: host.pid,
        sessions=sessions.by_state,
        connects=lambda: (connects.state, connects.waiting),
        database_ports={
            urlsplit(url).port or 5432 for url in (settings.whatsapp_database_url, through, settings.system_database_url) if url
        },
        limits=Limits.of(settings.recycle_memory_mb, settings.recycle_files),
        capacity=settings.sessions_max,
        young=timedelta(minutes=settings.recycle_minutes),
        alone=lambda: not held.others,
        too_large=recycle,
    )

    async def look_at_journal() -> None:
        if (journal := pump.journal) is None:
            return
        fill = journal.fill
        JOURNAL_DEPTH.set(journal.depth)
        if fill >= _NEARLY_FULL:
            hold(domain.JOURNAL_FULL, True)
        elif fill <= _DRAINED:
            hold(domain.JOURNAL_FULL, False)

    async def wipe_journal() -> None:
        # On the loop, between two batches of the pump: the reader is not for two threads.
        if (journal := pump.journal) is not None:
            journal.wipe()

    async def erase() -> None:
        await erasing.erase(system, store)

    async def tidy() -> None:
        await asyncio.to_thread(erasing.tidy, settings.data_dir / "unreadable")

    await hosting
    process.health.check("database", system.ping)
    process.health.check("bus", bus.ping)
    process.background("worker", Worker(held, pump, store, host).run, ahead=timedelta(seconds=settings.drain_seconds))
    process.background("connects", connects.run)
    process.background("vitals", every(MEASURE_EVERY, vitals.measure, name="vitals"))
    process.background("activity", every(_KEEP_ACTIVITY, activity.keep, name="activity"))
    process.background("media", bus.consumer(downloads.consumer()))
    process.background("relay", Relay(system, bus, schema="devices").run)
    process.background("acquaintances", acquaintances.run)
    process.background("attention", attention.run)
    process.background("groups", groups.run)
    process.background("wakes", listen(system.url, sessions, sends))
    process.background("sessions-poll", every(timedelta(seconds=POLL_SECONDS), sessions.poll, name="sessions-poll"))
    process.background("sends-poll", every(_SENDS_POLL, sends.poll, name="sends-poll"))
    process.background("blocks", every(blocks.EVERY, blocking.poll, name="blocks"))
    process.background("journal-look", every(_JOURNAL_LOOK, look_at_journal, name="journal-look"))
    process.background("journal-wipe", every(_JOURNAL_WIPE, wipe_journal, name="journal-wipe"))
    process.background("erasures", every(erasing.EVERY, erase, name="erasures"))
    process.background("unreadable", every(timedelta(hours=6), tidy, name="unreadable"))
    process.serve(create_app(process.health), settings.http_host, settings.http_port)


def listen(url: str, sessions: Sessions, sends: Sends) -> Callable[[asyncio.Event], Awaitable[None]]:
    """Make the part that hears what the database says at each commit."""

    async def heard(what: str, shard: int, device: object) -> None:
        if what == wakes.DEVICE:
            await sessions.wake(shard, device)  # type: ignore[arg-type]
        else:
            sends.wake(device)  # type: ignore[arg-type]

    async def run(stopping: asyncio.Event) -> None:
        tasks: set[asyncio.Task[None]] = set()

        def notified(_connection: object, _pid: int, _channel: str, payload: object) -> None:
            task = asyncio.create_task(heard(*wakes.parse(str(payload))))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        while not stopping.is_set():
            gone = asyncio.Event()
            try:
                connection = await asyncpg.connect(url, timeout=5, server_settings={"application_name": "devices-wakes"})
            except (OSError, TimeoutError, asyncpg.PostgresError) as error:
                log.info("wakes.waits", reason=type(error).__name__)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), 1.0)
                continue
            try:
                connection.add_termination_listener(lambda _, gone=gone: gone.set())
                await connection.add_listener(wakes.CHANNEL, notified)
                waits = [asyncio.ensure_future(gone.wait()), asyncio.ensure_future(stopping.wait())]
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                for wait in waits:
                    wait.cancel()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.info("wakes.waits", reason=type(error).__name__)
            finally:
                connection.terminate()

    return run
