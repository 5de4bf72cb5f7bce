"""`clarin up`: the whole system, until it is told to end."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import uvloop
from rich.console import Console
from rich.markup import escape
from servicekit.embedded import StartFailed

from clarin import demo, doctor, processes
from clarin.folder import Folder, Running
from clarin.processes import DATABASE, GATEWAY, KINDS, REALTIME, WORKER, Addresses, Process, Stage, inherited
from clarin.report import shown
from clarin.servers import ADMIN, Servers, allow_many_files
from clarin.supervisor import GaveUp, Program, Supervisor, rotate
from sim import launcher

READY_WITHIN, STOPPED_WITHIN = 115.0, 27.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line asks for; *port* 0 is any that is free."""

    data: Path
    port: int = 8080
    host: str = "127.0.0.1"
    workers: int = 2
    replicas: int = 1
    realtimes: int = 1
    nodes: int = 1
    sim: bool = True
    ready_file: Path | None = None
    demo: bool = False
    pooler: bool = True


class Up:
    """One run of the system."""

    def __init__(self, options: Options, console: Console) -> None:
        self.options = options
        self.console = console
        self.folder = Folder(options.data)
        self.servers = Servers(self.folder, pooler=options.pooler, nodes=options.nodes)
        self.supervisor = Supervisor(self._say, self._tell)
        self.programs: list[Program] = []
        self.sim: Program | None = None
        self._info = self.folder.root / "sim" / "info.json"
        self._sim_info: launcher.Info | None = None
        self._listener: socket.socket | None = None
        self._ready = False

    async def run(self) -> int:
        """Start all, wait for SIGTERM or SIGINT, stop all; 0 unless it could not start."""
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, lambda: os._exit(1) if stopping.is_set() else stopping.set())
        asked = asyncio.create_task(stopping.wait())
        start = asyncio.create_task(self._start())
        code = 0
        try:
            await asyncio.wait([asked, start], return_when=asyncio.FIRST_COMPLETED)
            if start.done():
                start.result()
                await self._watch(asked)
        except* (GaveUp, StartFailed) as errors:
            for error in _leaves(errors):
                self.console.print(f"[red]Clarin could not start.[/] {escape(str(error))}", highlight=False, soft_wrap=True)
            code = 1
        finally:
            stopping.set()
            asked.cancel()
            start.cancel()
            await asyncio.gather(asked, start, return_exceptions=True)
            await self._stop()
        return code

    async def _start(self) -> None:
        began = time.monotonic()
        rotate(self.folder.logs)
        await asyncio.gather(*(self.supervisor.keep(server, Stage.SERVER) for server in self.servers.every))
        provisioned = asyncio.create_task(self.servers.provision())
        at = self.servers.addresses
        if self.options.sim:
            at = await self._start_sim(at)
        await provisioned
        for process in self._processes(at):
            program = Program(process, self.folder.logs)
            self.programs.append(program)
            await self.supervisor.keep(program, process.stage)
        await self.supervisor.until_ready(*self.programs, timeout=READY_WITHIN - (time.monotonic() - began))
        credentials = await self._demo() if self.options.demo else None
        self._ready = True
        self._tell()
        self._show(time.monotonic() - began, credentials)

    async def _demo(self) -> demo.Credentials:
        try:
            return await demo.ensure(self.folder, self._running())
        except demo.DemoFailed as error:  # the system runs, which is what was asked for
            self._say(f"[yellow]{escape(str(error))}[/]")
            return demo.Credentials.of(self.folder)

    def _processes(self, at: Addresses) -> Iterable[Process]:
        port = self.options.port or self.folder.port(GATEWAY.name)
        host = "127.0.0.1" if self.options.host in ("0.0.0.0", "::") else self.options.host
        replicas = self.options.replicas
        public_url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        at = replace(at, replicas=replicas, realtimes=self.options.realtimes, public_url=public_url)
        for kind in KINDS:
            for name in processes.replicas(kind, self.options.realtimes if kind is REALTIME else replicas):
                if kind is not GATEWAY:
                    yield processes.process(kind, self.folder, at, name=name, port=self.folder.port(name))
                    continue
                gateway = processes.process(kind, self.folder, at, name=name, port=port, host=self.options.host)
                yield self._sharing(gateway) if replicas > 1 else gateway
        for number in range(1, self.options.workers + 1):
            name = f"{WORKER.name}-{number}"
            yield self._attached(processes.process(WORKER, self.folder, at, name=name, port=self.folder.port(name)))

    def _sharing(self, gateway: Process) -> Process:
        """Give a gateway the one public socket: it stays open while one of them ends, so that nobody finds it closed."""
        if self._listener is None:
            family = socket.AF_INET6 if ":" in gateway.host else socket.AF_INET
            self._listener = socket.create_server((gateway.host, gateway.port), family=family, backlog=1024)
        number, inside = self._listener.fileno(), self.folder.port(f"{gateway.name}.inside")
        own = {"CLARIN_HTTP_FD": str(number), "CLARIN_INTERNAL_PORT": str(inside)}
        return replace(gateway, listener=number, inside=inside, environment={**gateway.environment, **own})

    def _attached(self, process: Process) -> Process:
        if self._sim_info is None:
            return process
        return replace(process, environment=launcher.environment(self._sim_info, process.environment))

    async def _start_sim(self, at: Addresses) -> Addresses:
        port = self.folder.port("sim")
        self._info.parent.mkdir(mode=0o700, exist_ok=True)
        self._info.unlink(missing_ok=True)
        words = ["-m", "sim", "--data", str(self._info.parent), "--control-port", str(port), "--info-file", str(self._info)]
        process = Process(name="sim", command=(sys.executable, *words), stage=Stage.NETWORK, port=port, environment=inherited())
        self.sim = Program(process, self.folder.logs)
        await self.supervisor.keep(self.sim, Stage.NETWORK)
        self._sim_info = await self._read_info()
        return replace(at, sim_url=self._sim_info.control_url)

    async def _read_info(self, within: float = 30) -> launcher.Info:
        end = time.monotonic() + within
        while time.monotonic() < end:
            if self.sim is not None and self.sim.alive:
                with contextlib.suppress(FileNotFoundError):
                    info = launcher.read_info(self._info)
                    if info.pid == self.sim.pid:
                        return info
            await asyncio.sleep(0.05)
        raise GaveUp(f"The WhatsApp network on loopback did not start.\n{self.sim.log_tail() if self.sim else ''}")

    async def _watch(self, asked: "asyncio.Task[bool]") -> None:
        """Until *asked*: a network that came back elsewhere needs workers that know where."""
        while not asked.done():
            await asyncio.wait([asked], timeout=0.5)
            known = self._sim_info
            if asked.done() or known is None or self.sim is None or self.sim.pid == known.pid or not self.sim.alive:
                continue
            try:
                fresh = await self._read_info(5)
            except GaveUp:
                continue
            self._sim_info = fresh
            if (fresh.proxy_port, fresh.root_key) != (known.proxy_port, known.root_key):
                for program in [program for program in self.programs if program.process.stage is Stage.WORKER]:
                    attached = Program(self._attached(program.process), self.folder.logs)
                    self.programs[self.programs.index(program)] = attached
                    await self.supervisor.replace(attached, Stage.WORKER)

    async def _stop(self) -> None:
        if self._ready:
            self.console.print("Ending …")
        await self.supervisor.stop(STOPPED_WITHIN)
        if self.options.ready_file and self._ready:
            self.options.ready_file.unlink(missing_ok=True)

    def _running(self) -> Running:
        urls = {program.name: program.process.url for program in self.programs}
        health = {program.name: program.process.health for program in self.programs}
        return Running(
            url=urls[GATEWAY.name],
            sim_url=self._sim_info.control_url if self._sim_info else None,
            postgres=self.servers.postgres.url_of(DATABASE),
            nats=self.servers.bus(ADMIN),
            redis=self.servers.valkey.url,
            pids=self.supervisor.pids,
            urls=urls,
            health=health,
            data=str(self.folder.root),
            pid=os.getpid(),
        )

    def _tell(self) -> None:
        if self._ready:
            self.folder.tell(self._running(), *([self.options.ready_file.absolute()] if self.options.ready_file else []))

    def _say(self, text: str) -> None:
        self.console.print(time.strftime("%H:%M:%S"), text, highlight=False, soft_wrap=True)

    def _show(self, seconds: float, credentials: demo.Credentials | None) -> None:
        running = self._running()
        self.console.print(shown(running))
        if credentials:
            self.console.print(credentials.table())
        if running.sim_url:
            self.console.print(f"The customers' phones: {running.sim_url}")
        self.console.print(f"Clarin is ready after {seconds:.1f} s: [bold]{running.url}[/]   Ctrl-C ends it.", soft_wrap=True)


def up(options: Options, console: Console) -> int:
    """Run the system in this process until SIGTERM; gives the exit code."""
    allow_many_files()
    findings = [finding for finding in doctor.examine(options.data, options.port, options.host) if finding.fatal]
    for finding in findings:
        console.print(finding.line(), highlight=False, soft_wrap=True)
    if findings:
        return 1
    folder = Folder(options.data)
    folder.make()
    with folder.lock():

        async def run() -> int:
            return await Up(options, console).run()

        return uvloop.run(run())


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterable[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
