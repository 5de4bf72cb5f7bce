"""Lists that people bring and take away: read and written by a process of their own, row by row."""

import asyncio
import contextlib
import resource
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from conversations.domain.errors import SheetInvalid
from conversations.files.reader import Row, Seen, Wanted

_READER = Path(__file__).with_name("reader.py")
_WRITER = Path(__file__).with_name("writer.py")
_MEMORY = 1 << 30
_CPU_SECONDS = 180
_LONGEST_LINE = 4 << 20
_LOOK_SECONDS = 25.0

_places = asyncio.Semaphore(2)
_row = msgspec.json.Decoder(Row)


async def look(file: Path, most: int) -> Seen:
    """Say what stands in a list.  Raises: SheetInvalid."""
    try:
        async with asyncio.timeout(_LOOK_SECONDS), _places, _running(_READER, Wanted(file=str(file), most=most)) as process:
            assert process.stdout is not None, "It is a pipe."  # noqa: S101
            told = await process.stdout.read()
            await _ended(process)
    except TimeoutError as error:
        raise SheetInvalid("It took too long to read: save it as CSV, or in parts.") from error
    return msgspec.json.decode(told, type=Seen)


async def rows(wanted: Wanted, at_once: int) -> AsyncIterator[list[Row]]:
    """Give the rows of a list, some at once; the reader waits while they are worked on.  Raises: SheetInvalid."""
    async with _running(_READER, wanted) as process:
        assert process.stdout is not None, "It is a pipe."  # noqa: S101
        some: list[Row] = []
        async for line in process.stdout:
            some.append(_row.decode(line))
            if len(some) == at_once:
                yield some
                some = []
        await _ended(process)
        if some:
            yield some


class Sheet:
    """A spreadsheet that is being written."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def write(self, *rows: tuple[object, ...]) -> None:
        """These rows follow."""
        assert self._process.stdin is not None, "It is a pipe."  # noqa: S101
        self._process.stdin.write(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
        await self._process.stdin.drain()

    async def finish(self) -> None:
        """The file is whole."""
        assert self._process.stdin is not None, "It is a pipe."  # noqa: S101
        self._process.stdin.close()
        await _ended(self._process)


@asynccontextmanager
async def written(file: Path) -> AsyncIterator[Sheet]:
    """A spreadsheet is written to *file*; give what takes its rows."""
    async with _places, _running(_WRITER, None, str(file)) as process:
        yield Sheet(process)


@asynccontextmanager
async def _running(program: Path, wanted: Wanted | None, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        str(program),
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={},
        limit=_LONGEST_LINE,
        preexec_fn=_bounded,
    )
    try:
        if wanted is not None:
            assert process.stdin is not None, "It is a pipe."  # noqa: S101
            process.stdin.write(msgspec.json.encode(wanted))
            process.stdin.close()
        yield process
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _ended(process: asyncio.subprocess.Process) -> None:
    assert process.stderr is not None, "It is a pipe."  # noqa: S101
    said = (await process.stderr.read()).decode(errors="replace")
    code = await process.wait()
    if code == 3:
        raise SheetInvalid(said)
    if code:  # the bound of memory or time, or its parser fell over what it was given
        raise SheetInvalid("It cannot be read within bounds: save it as CSV, or in parts.")


def _bounded() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
