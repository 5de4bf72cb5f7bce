"""Root runs PostgreSQL as nobody; here nobody runs all three, where root is at the machine and lets nobody read this checkout."""

import os
import pwd
import subprocess
import sys
import tempfile
from pathlib import Path

SCRIPT = """
import os, pathlib, sys
from servicekit.embedded import Nats, Postgres, Valkey
folder = pathlib.Path(sys.argv[1])
for server in (Postgres(folder / "postgres", durable=False), Nats(folder / "nats"), Valkey(folder / "valkey")):
    server.start()
    port = server.port
    server.restart()
    server.kill()
    server.start()
    assert server.port == port and server.alive
    server.stop()
    assert not server.alive
print("all three, as", os.geteuid())
"""


def interpreter():
    """A Python of this version that nobody may run, and that finds what we find."""
    if os.geteuid() != 0:
        return sys.executable
    same = f"import sys, servicekit.embedded; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    for python in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        if run(python, "-c", same).returncode == 0:
            return python
    return None


def run(*words):
    plain = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    environment = {"PATH": f"{sys.prefix}/bin:{os.defpath}", "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        return subprocess.run(words, env=environment, cwd="/", capture_output=True, text=True, timeout=50, **plain)
    except OSError:
        return subprocess.CompletedProcess(words, 126)


if PYTHON := interpreter():

    def test_a_plain_user_starts_restarts_kills_and_stops_all_three():
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o777)
            ran = run(PYTHON, "-c", SCRIPT, folder)
            user = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else os.geteuid()
            assert ran.stdout == f"all three, as {user}\n", ran.stderr
