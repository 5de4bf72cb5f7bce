"""The standard error of a process with the library in it: passed on to ours, but for a line that is meant for a terminal.

Go writes there, past Python: its panics, and that line. What stands between must not be a pipe: a worker that is stopped would
hold up its host, and one that is dead would kill it. So it is a file in memory, which takes whatever is written and asks nobody.
"""

import contextlib
import ctypes
import fcntl
import os
import threading

#: Printed by the library when a session starts.
NOISE = b"Press Ctrl+C to exit\n"
_READ = 1 << 16
_KEEP_SIZE_AND_PUNCH_HOLE = 3


class Stderr:
    """What one process writes; *fd* is for it alone."""

    def __init__(self) -> None:
        self.fd = os.memfd_create("stderr")
        fcntl.fcntl(self.fd, fcntl.F_SETFL, fcntl.fcntl(self.fd, fcntl.F_GETFL) | os.O_APPEND)
        self._at = 0
        self._lock = threading.Lock()

    def pass_on(self, *, over: bool = False) -> None:
        """Write on what has come, as whole lines; once the process is *over*, all of it. From any thread."""
        with self._lock:
            if self.fd < 0:
                return
            while block := os.pread(self.fd, _READ, self._at):
                whole = len(block) if over or len(block) == _READ else block.rfind(b"\n") + 1
                if not whole:
                    break
                said = b"".join(line for line in block[:whole].splitlines(keepends=True) if line != NOISE)
                with contextlib.suppress(OSError):  # a log that takes nothing ends no session
                    os.write(2, said)
                self._at += whole
                # The memory of what was read is given back, and nothing that is written meanwhile is lost.
                ctypes.CDLL(None).fallocate(self.fd, _KEEP_SIZE_AND_PUNCH_HOLE, ctypes.c_long(0), ctypes.c_long(self._at))
            if over:
                os.close(self.fd)
                self.fd = -1
