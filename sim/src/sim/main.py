"""Runs the network as one process until SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import logging
import os
import signal
import sqlite3
import sys
from contextlib import suppress
from pathlib import Path

import uvloop
from aiohttp import web

from sim.control import Control
from sim.launcher import Refused, refuse_production
from sim.network import Network

_GRACE_SECONDS = 1.0


async def run(data: Path, control_port: int, info_file: Path, host: str = "127.0.0.1") -> None:
    """Serves until SIGTERM or SIGINT, or until the file can no longer be written.  The network itself is on loopback only."""
    loop = asyncio.get_running_loop()
    network = Network(data)
    stopped: asyncio.Future[None] = loop.create_future()
    network.db.failed = stopped
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: None if stopped.done() else stopped.set_result(None))
    await network.start()
    runner = web.AppRunner(Control(network).application(), access_log=None, shutdown_timeout=_GRACE_SECONDS)
    await runner.setup()
    site = web.TCPSite(runner, host, control_port, backlog=1024)
    await site.start()
    port = runner.addresses[0][1]
    info = {
        "root_key": network.authority.root.hex(),
        "proxy_port": network.proxy.port,
        "ca_file": str(network.authority.ca_file.resolve()),
        "control_url": f"http://127.0.0.1:{port}",
        "pid": os.getpid(),
    }
    part = info_file.with_name(info_file.name + ".part")
    part.write_text(json.dumps(info))
    part.replace(info_file)
    logging.getLogger(__name__).info("ready, control on port %d, proxy on port %d", port, network.proxy.port)
    try:
        await stopped
    except sqlite3.Error as error:
        logging.getLogger(__name__).critical("the file cannot be written, so nothing more may be told: %s", error)
        os._exit(1)
    finally:
        forget(info_file)
        await runner.cleanup()
        await network.close()


def forget(info_file: Path) -> None:
    """The file is gone, unless another process has written its own there."""
    with suppress(FileNotFoundError):
        if json.loads(info_file.read_text())["pid"] == os.getpid():
            info_file.unlink()


def only_one(data: Path) -> int:
    """The lock on *data*, held as long as the process lives.  Raises: Refused: another process has it."""
    data.mkdir(parents=True, exist_ok=True)
    lock = os.open(data / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise Refused("Another process runs the network on this data folder.") from error
    return lock


def main() -> int:
    """The command line; 2 when it refuses to run here."""
    parser = argparse.ArgumentParser(prog="python -m sim", description="A WhatsApp network on loopback: phones, server, media hosts.")
    parser.add_argument("--data", type=Path, required=True, help="folder of phones, keys and messages")
    parser.add_argument("--control-port", type=int, default=0, help="port of the control API and its page; 0 takes a free one")
    parser.add_argument(
        "--control-host", default="127.0.0.1", help="where the control API listens; another than loopback in a container alone"
    )
    parser.add_argument("--info-file", type=Path, help="written when ready, removed at the end (default: DATA/info.json)")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        refuse_production(os.environ)
        only_one(arguments.data)
    except Refused as refused:
        sys.stderr.write(f"{refused}\n")
        return 2
    info_file = arguments.info_file or arguments.data / "info.json"
    uvloop.run(run(arguments.data, arguments.control_port, info_file, arguments.control_host))
    return 0
