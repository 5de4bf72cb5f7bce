"""What the processes say, from the files that their output goes to."""

import collections
import time
from pathlib import Path
from typing import IO


class NoSuchLog(Exception):
    """No process of this name has said anything here."""


def show(folder: Path, name: str | None, lines: int, *, follow: bool) -> None:
    """Print the last lines of one log, or of all with the name before each line; with *follow* also what comes.

    Raises:
        NoSuchLog: There is none, or none of this name.
    """
    paths = sorted(folder.glob("*.log")) if name is None else [folder / f"{name}.log"]
    paths = [path for path in paths if path.exists()]
    if not paths:
        known = ", ".join(sorted(path.stem for path in folder.glob("*.log")))
        raise NoSuchLog(f"There is no log {name or ''} in {folder}." + (f" There are: {known}." if known else ""))
    width = max(len(path.stem) for path in paths)
    files = {path: path.open(errors="replace") for path in paths}

    def put(path: Path, line: str) -> None:
        print(line.rstrip("\n") if name else f"{path.stem:{width}} | {line.rstrip(chr(10))}", flush=True)

    for path, file in files.items():
        for line in collections.deque(file, maxlen=lines):
            put(path, line)
    while follow:
        news = [(path, line) for path, file in files.items() for line in file]
        for path, line in news:
            put(path, line)
        if not news:
            time.sleep(0.2)
        for path, file in list(files.items()):
            if _was_replaced(path, file):
                file.close()
                files[path] = path.open(errors="replace")


def _was_replaced(path: Path, file: IO[str]) -> bool:
    try:
        return path.stat().st_size < file.tell()
    except FileNotFoundError:
        return False
