"""What a process costs, as the kernel counts it, and what the whole fleet asks of the database."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

import asyncpg

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Footprint:
    """One process, or several together. *cpu* is the seconds of a processor that they have used since their start.

    Attributes:
        rss_mb: Resident memory; what processes share is counted once for each.
        pss_mb: The same, with what is shared divided among those that share it.
    """

    rss_mb: float
    threads: int
    files: int
    cpu: float
    pss_mb: float = 0.0

    @classmethod
    def of(cls, pid: int) -> "Footprint":
        """Read it.  Raises: OSError: there is no such process, or it has ended."""
        folder = Path("/proc") / str(pid)
        rss, threads = status((folder / "status").read_text())
        return cls(rss, threads, len(os.listdir(folder / "fd")), cpu_seconds((folder / "stat").read_text()), pss(folder))

    @classmethod
    def of_family(cls, pid: int) -> "Footprint":
        """Read it together with its children: a worker's sessions are in one.  Raises: OSError, KeyError: see `of`."""
        family = [cls.of(pid)]
        for child in children(pid):
            with contextlib.suppress(OSError, KeyError):  # a pairing that has just ended
                family.append(cls.of(child))
        return cls(
            rss_mb=sum(one.rss_mb for one in family),
            threads=sum(one.threads for one in family),
            files=sum(one.files for one in family),
            cpu=sum(one.cpu for one in family),
            pss_mb=sum(one.pss_mb for one in family),
        )


def children(pid: int) -> list[int]:
    """Name the process's living children."""
    found = []
    for task in (Path("/proc") / str(pid) / "task").iterdir():
        with contextlib.suppress(OSError):
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def pss(folder: Path) -> float:
    """Read the megabytes of a process with its share of what it shares; 0 where the kernel does not tell."""
    try:
        text = (folder / "smaps_rollup").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith("Pss:")), 0.0)


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
