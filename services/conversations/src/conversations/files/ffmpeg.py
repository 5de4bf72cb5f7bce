"""ffmpeg, from its wheel, as a process with one file and nothing else."""

import asyncio
import contextlib
import re
import resource
from functools import cache
from pathlib import Path

import imageio_ffmpeg

_SECONDS = 60.0
_MEMORY = 1 << 30
_CPU_SECONDS = 120
_MOST_OUTPUT = 64 << 20
_DURATION = re.compile(rb"Duration: (\d+):(\d\d):(\d\d)\.(\d+)")
_SIZE = re.compile(rb"Video: .*?[ ,](\d{2,5})x(\d{2,5})[ ,\[]")

_places = asyncio.Semaphore(2)


class Failed(Exception):
    """ffmpeg could not make it of this file."""


@cache
def binary() -> str:
    """Name the program."""
    return str(imageio_ffmpeg.get_ffmpeg_exe())


def _bounded() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


async def run(*arguments: str, check: bool = True) -> tuple[bytes, bytes]:
    """Give what it wrote to stdout and stderr.  Raises: Failed."""
    async with _places:
        process = await asyncio.create_subprocess_exec(
            binary(),
            "-nostdin",
            "-hide_banner",
            "-threads",
            "1",
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={},
            preexec_fn=_bounded,
        )
        try:
            async with asyncio.timeout(_SECONDS):
                out, error = await process.communicate()
        except TimeoutError as late:
            raise Failed("It took too long.") from late
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
    if check and process.returncode:
        raise Failed(f"It ended with {process.returncode}.")
    return out[:_MOST_OUTPUT], error


def source(file: Path) -> list[str]:
    """Name *file* as the one thing that may be opened: a playlist in it leads nowhere."""
    return ["-protocol_whitelist", "file,pipe", "-i", f"file:{file}"]


async def probe(file: Path) -> tuple[int | None, tuple[int, int] | None]:
    """Tell the seconds (at least 1) and the width and height of what *file* plays, as far as it says."""
    _, told = await run(*source(file), check=False)
    seconds = size = None
    if found := _DURATION.search(told):
        hours, minutes, whole, rest = (int(part) for part in found.groups())
        seconds = max(1, hours * 3600 + minutes * 60 + whole + (1 if rest >= 50 else 0))
    if shown := _SIZE.search(told):
        size = int(shown[1]), int(shown[2])
    return seconds, size
