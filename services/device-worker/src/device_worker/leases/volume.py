"""The name of a worker, and the lock on it."""

import contextlib
import fcntl
import os
import time
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

#: A worker that was killed leaves a host behind that has its last words to say.
_ON_ITS_WAY_OUT = 3.5
VOLUME_PATIENCE = timedelta(seconds=30)


class VolumeTaken(Exception):
    """Another living process has this worker's name and volume."""


def own_volume(folder: Path, name: str | None, *, patience: timedelta = VOLUME_PATIENCE) -> tuple[str, int]:
    """Make sure that no other living process is this worker on this volume; give what it is called on the bus, and the lock to keep.

    The volume's own id is part of that: two processes that were given one name by mistake, on two volumes, are two
    workers, and neither takes the other for dead. Without a *name* the first of ``worker-1``, ``worker-2``… is taken
    whose lock is free.

    Raises:
        VolumeTaken: A living process has kept the name for longer than *patience*.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    started = time.monotonic()
    until = started + patience.total_seconds()
    number = 1
    while time.monotonic() < until:
        fd = os.open(folder / f"{name or f'worker-{number}'}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            if name is None and time.monotonic() - started >= _ON_ITS_WAY_OUT:
                number += 1
            else:  # a predecessor, or its host, may be on its way out
                time.sleep(0.05)
            continue
        return f"{name or f'worker-{number}'}~{_volume_id(folder)}", fd
    raise VolumeTaken(f"Another process is {name or 'every worker'} on this volume.")


def _volume_id(folder: Path) -> str:
    """Read the volume's id, which the first process there has made up."""
    file = folder / "volume"
    if not file.exists():
        mine = folder / f"volume.{uuid4()}"
        mine.write_text(uuid4().hex[:12])
        with contextlib.suppress(FileExistsError):
            os.link(mine, file)  # whole or not at all, and never over another's
        mine.unlink()
    return file.read_text()
