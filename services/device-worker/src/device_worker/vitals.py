"""How this worker is: what it and its host take of the machine, what it has in hand, and whether it has grown too large."""

import asyncio
import os
import resource
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import psutil
import structlog
from prometheus_client import REGISTRY, Counter, Gauge

from device_worker.shards import Report
from device_worker.whatsapp.proto import Kind

log = structlog.get_logger()

MEASURE_EVERY = timedelta(seconds=5)
#: Looking up whose the connections are takes long where there are thousands.
_CONNECTIONS_EVERY = 15.0
_FILES_SHARE = 0.8
_MEMORY_SHARE = 0.75
_CONTAINER = Path("/sys/fs/cgroup/memory.max")
#: Where no container says, it is taken for this.
_MEMORY = 4 << 30

RSS = Gauge("clarin_devices_rss_bytes", "Memory of a worker's processes.", ["process"])
THREADS = Gauge("clarin_devices_threads", "Threads of a worker's processes.", ["process"])
FILES = Gauge("clarin_devices_files", "File descriptors of a worker's processes.", ["process"])
CONNECTIONS = Gauge("clarin_devices_database_connections", "Connections of a worker's processes to databases.", ["process"])
CAPACITY = Gauge("clarin_devices_capacity_sessions", "Sessions that the worker may hold.")
TOO_LARGE = Gauge(
    "clarin_devices_too_large",
    "1 while the worker is over a limit: it is about to be started anew, too young for that, or has nobody to take its sessions.",
)
LOSS_WINDOWS = Counter(
    "clarin_devices_loss_windows", "Times at which what WhatsApp had counted as delivered may have been lost, by cause.", ["cause"]
)


@dataclass(frozen=True, slots=True)
class Size:
    """What one process takes."""

    rss: int = 0
    threads: int = 0
    files: int = 0

    @classmethod
    def of(cls, pid: int) -> "Size":
        """Measure it; one that is gone takes nothing."""
        try:
            process = psutil.Process(pid)
            with process.oneshot():
                return cls(process.memory_info().rss, process.num_threads(), process.num_fds())
        except (psutil.Error, OSError):  # its files in /proc go with it, whichever is being read
            return cls()


def connections(pid: int, ports: Collection[int]) -> int:
    """Count the process's connections to one of *ports*, wherever that is."""
    try:
        found = psutil.Process(pid).net_connections("tcp")
    except (psutil.Error, OSError):
        return 0
    return sum(one.status == psutil.CONN_ESTABLISHED and bool(one.raddr) and one.raddr.port in ports for one in found)


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on a worker has leaked: bytes and descriptors of its two processes together."""

    rss: int
    files: int

    @classmethod
    def of(cls, megabytes: int, files: int) -> "Limits":
        """Take what is set; where that is 0, most of what the container may take, and of what the system lets one process open."""
        return cls(
            megabytes << 20 or int(_container_memory() * _MEMORY_SHARE),
            files or int(resource.getrlimit(resource.RLIMIT_NOFILE)[0] * _FILES_SHARE),
        )

    def over(self, sizes: Collection[Size], times: int = 1) -> str | None:
        """Name what is more than so many *times* too much; None when nothing is."""
        if sum(size.rss for size in sizes) > self.rss * times:
            return "memory"
        if max((size.files for size in sizes), default=0) > self.files * times:
            return "files"
        return None


class Rate:
    """How many a second, of something that is counted."""

    def __init__(self) -> None:
        self._before: tuple[float, float] | None = None

    def now(self, count: float, at: float) -> float:
        """Give the rate since the last call; 0 at the first."""
        before, self._before = self._before, (count, at)
        return 0.0 if before is None or at <= before[1] else round(max(0.0, count - before[0]) / (at - before[1]), 2)


class Vitals:
    """Measures now and then, and says what it found."""

    def __init__(
        self,
        *,
        host: Callable[[], int | None],
        sessions: Callable[[], dict[str, int]],
        connects: Callable[[], tuple[str, int]],
        database_ports: Collection[int],
        limits: Limits,
        capacity: int,
        young: timedelta,
        alone: Callable[[], bool],
        too_large: Callable[[str], None],
    ) -> None:
        """Look after this process and its host.

        Args:
            host: Gives the host's process, while there is one.
            sessions: Counts the sessions by their state.
            connects: Gives the way to WhatsApp (`Connects.state`), and how many wait.
            young: One that is too large so soon after its start would be again: then the limit is wrong, and not the worker.
            alone: Tells whether nobody could take the sessions: then twice the limit counts, as they would all be cut off.
            too_large: Is told, at each measuring, what is over *limits*; not while the process is *young*.
        """
        self._host, self._sessions, self._connects, self._ports = host, sessions, connects, frozenset(database_ports)
        self._limits, self._young, self._alone, self._too_large = limits, young, alone, too_large
        self._started = datetime.now(UTC)
        self._report = Report(version=version("clarin-device-worker"), started_at=self._started)
        self._inbound, self._outbound = Rate(), Rate()
        self._connected = 0
        self._looked = 0.0
        CAPACITY.set(capacity)

    @property
    def report(self) -> Report:
        """What was found last."""
        return self._report

    async def measure(self) -> None:
        """Look at everything once."""
        pids = {"worker": os.getpid()} | ({"host": host} if (host := self._host()) is not None else {})
        sizes = await asyncio.to_thread(lambda: {name: Size.of(pid) for name, pid in pids.items()})
        for name, size in sizes.items():
            RSS.labels(name).set(size.rss)
            THREADS.labels(name).set(size.threads)
            FILES.labels(name).set(size.files)
        if time.monotonic() - self._looked >= _CONNECTIONS_EVERY:
            self._looked = time.monotonic()
            counted = await asyncio.to_thread(lambda: {name: connections(pid, self._ports) for name, pid in pids.items()})
            self._connected = sum(counted.values())
            for name, count in counted.items():
                CONNECTIONS.labels(name).set(count)
        self._report = self._describe(list(sizes.values()))
        self._judge(list(sizes.values()))

    def _describe(self, sizes: Collection[Size]) -> Report:
        at = time.monotonic()
        state, waiting = self._connects()
        return Report(
            version=self._report.version,
            started_at=self._started,
            sessions=self._sessions(),
            connects=state,
            waiting=waiting,
            rss_mb=round(sum(size.rss for size in sizes) / (1 << 20), 1),
            threads=sum(size.threads for size in sizes),
            files=sum(size.files for size in sizes),
            db_connections=self._connected,
            journal_bytes=int(_sample("clarin_devices_journal_bytes")),
            sends_waiting=int(_sample("clarin_devices_sends_waiting")),
            sends_oldest_seconds=round(_sample("clarin_devices_sends_oldest_seconds"), 1),
            inbound=self._inbound.now(_sample("clarin_devices_observed_events_total", kind=str(int(Kind.MESSAGE))), at),
            outbound=self._outbound.now(_sample("clarin_devices_sends_total", outcome="sent"), at),
            loss_windows={
                sample.labels["cause"]: int(sample.value)
                for metric in LOSS_WINDOWS.collect()
                for sample in metric.samples
                if sample.name.endswith("_total")
            },
        )

    def _judge(self, sizes: Collection[Size]) -> None:
        too_large = self._limits.over(sizes) is not None
        young = datetime.now(UTC) - self._started < self._young
        what = self._limits.over(sizes, 2 if self._alone() else 1)
        TOO_LARGE.set(too_large)
        if what is not None and not young:
            self._too_large(what)
        elif too_large:
            log.warning("worker.too_large", young=young)


def _container_memory() -> int:
    try:
        return min(int(_CONTAINER.read_text()), _MEMORY)
    except (OSError, ValueError):  # there is none, or it says "max"
        return _MEMORY


def _sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0
