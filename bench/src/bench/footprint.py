"""What a process costs, as the kernel counts it, and what the whole fleet asks of the database."""

import os
from dataclasses import dataclass
from pathlib import Path

import asyncpg

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Footprint:
    """One process. *cpu* is the seconds of a processor that it has used since its start."""

    rss_mb: float
    threads: int
    files: int
    cpu: float

    @classmethod
    def of(cls, pid: int) -> "Footprint":
        """Read it.  Raises: OSError: there is no such process, or it has ended."""
        folder = Path("/proc") / str(pid)
        rss, threads = status((folder / "status").read_text())
        return cls(rss, threads, len(os.listdir(folder / "fd")), cpu_seconds((folder / "stat").read_text()))


def status(text: str) -> tuple[float, int]:
    """Find resident megabytes and threads in a process's ``status``.  Raises: KeyError: it has ended, and holds no memory."""
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return int(fields["VmRSS"].split()[0]) / 1024, int(fields["Threads"])


def cpu_seconds(text: str) -> float:
    """Find the seconds of processor time in a process's ``stat``, whose second field, a name, may hold anything."""
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


async def connections(database: asyncpg.Connection) -> int:
    """Count the connections to whatsmeow's database."""
    return int(
        await database.fetchval("select count(*) from pg_stat_activity where datname = 'whatsapp' and backend_type = 'client backend'")
    )


def gauge(metrics: str, name: str) -> float:
    """Add up the values of *name* over all its labels, in the text that a process serves at ``/metrics``."""
    return sum(float(line.rpartition(" ")[2]) for line in metrics.splitlines() if line.startswith((f"{name} ", f"{name}{{")))
