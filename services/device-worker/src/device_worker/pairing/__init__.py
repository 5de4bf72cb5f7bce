"""Linking a device, in a process of its own that ends hard.

The library cannot stop while it shows a QR, and hangs when the last one has run out. So each pairing is a child: it writes
what happens to a pipe, one JSON object a line, and exits at the moment the link is made, before it would log in as the new
device. The credentials are in whatsmeow's store by then, and the session is started from there by whoever owns the shard.

Into the child goes ``{"proxy": "…", "shown_as": "…"}`` first (not by its environment: a proxy has a password), and ``{"phone":
"521…"}`` when a code is wanted; when its input ends, its parent is dead and it exits.
"""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from device_worker.whatsapp.stderr import Stderr

#: Six QR codes, the first of 60 s: then WhatsApp has no more.
LASTS = timedelta(seconds=160)
FIRST_QR = timedelta(seconds=60)
NEXT_QR = timedelta(seconds=20)

#: Where the child writes: standard output is not free, since the library prints there.
REPORT_FD = "CLARIN_PAIRING_REPORT_FD"


#: What the child does before it loads anything: from then on it dies with its parent.
_BECOME = """
import ctypes, os, runpy, signal, sys
parent, module = sys.argv[1:]
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(parent):
    os._exit(0)
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


class Report(msgspec.Struct, frozen=True, kw_only=True, tag_field="report"):
    """Something happened."""


class QrReport(Report, frozen=True, kw_only=True, tag="qr"):
    """A QR is to be shown, for *seconds*."""

    qr: str
    seconds: float


class CodeReport(Report, frozen=True, kw_only=True, tag="code"):
    """WhatsApp gave a code for *phone*, or (*code* None) did not."""

    phone: str
    code: str | None = None
    error: str | None = None


class PairedReport(Report, frozen=True, kw_only=True, tag="paired"):
    """The device is linked, and in the store."""

    jid: str
    lid: str | None = None


class EndedReport(Report, frozen=True, kw_only=True, tag="ended"):
    """It came to nothing; *reason* is a stable code."""

    reason: str


AnyReport = QrReport | CodeReport | PairedReport | EndedReport
_reports = msgspec.json.Decoder(AnyReport)


@dataclass(frozen=True, slots=True)
class Child:
    """A pairing under way."""

    process: asyncio.subprocess.Process
    stderr: Stderr
    reader: asyncio.StreamReader

    async def reports(self) -> AsyncIterator[AnyReport]:
        """Give each report as it comes; it ends with the child."""
        async for line in self.reader:
            self.stderr.pass_on()
            yield _reports.decode(line)

    async def ask_code(self, phone: str) -> None:
        """Want a code for *phone*; the answer is a report."""
        await self.tell({"phone": phone})

    async def tell(self, what: Mapping[str, str | None]) -> None:
        """Write a line to it; one that is dead does not read it."""
        if self.process.stdin is not None:
            with contextlib.suppress(ConnectionError):
                self.process.stdin.write(json.dumps(what).encode() + b"\n")
                await self.process.stdin.drain()


@contextlib.asynccontextmanager
async def child(environment: Mapping[str, str], *, proxy: str = "", shown_as: str | None = None) -> AsyncIterator[Child]:
    """Run a pairing; at the end of the block it is killed, whatever it was doing.

    Args:
        proxy: The address of the proxy that it goes by; empty for none.
        shown_as: How the device is called on the phone.
    """
    read_fd, write_fd = os.pipe()
    stderr = Stderr()
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            _BECOME,
            str(os.getpid()),
            "device_worker.pairing",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=stderr.fd,
            env=dict(environment) | {REPORT_FD: str(write_fd)},
            pass_fds=(write_fd,),
        )
    except BaseException:
        os.close(read_fd)
        stderr.pass_on(over=True)
        raise
    finally:
        os.close(write_fd)
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_fd, "rb", 0)
    )
    try:
        made = Child(process, stderr, reader)
        await made.tell({"proxy": proxy, "shown_as": shown_as})
        yield made
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        stderr.pass_on(over=True)
        transport.close()
