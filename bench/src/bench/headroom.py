"""What gives first: how much of each thing that can run out was in use when most of it was."""

import os
import resource
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Processors:
    """The machine's processors so far: seconds (of all together) busy, and seconds at all."""

    busy: float
    total: float

    @classmethod
    def now(cls) -> "Processors":
        """Read them."""
        return cls.read((Path("/proc") / "stat").read_text())

    @classmethod
    def read(cls, text: str) -> "Processors":
        """Find them in the text of ``/proc/stat``; waiting for a disk is not being busy."""
        ticks = [int(field) for field in text.splitlines()[0].split()[1:9]]
        idle = ticks[3] + ticks[4]
        rate = os.sysconf("SC_CLK_TCK")
        return cls((sum(ticks) - idle) / rate, sum(ticks) / rate)

    def since(self, before: "Processors") -> float:
        """Give the share that was busy since then, from 0 to 1."""
        total = self.total - before.total
        return (self.busy - before.busy) / total if total > 0 else 0.0


def headroom(*, rss_mb: float, files: int, connections: int, most_connections: int, processors: float) -> dict[str, float]:
    """Give what was used of what there is, as shares from 0 to 1.

    Args:
        files: Of the process that has most of them.
        processors: The share that was busy while all sessions connected.
    """
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
    return {
        "memory": round(rss_mb / memory, 3),
        "files": round(files / resource.getrlimit(resource.RLIMIT_NOFILE)[1], 3),
        "database_connections": round(connections / most_connections, 3),
        "processors": round(processors, 3),
    }


def first_to_give(used: dict[str, float]) -> str:
    """Name what is nearest to its end."""
    return max(used, key=lambda name: used[name])
