"""What an exception says to those who try again."""

import traceback

from contracts.errors import Unavailable

from servicekit import db


def is_away(problem: BaseException) -> bool:
    """Tell whether *problem* says that something the handler needs is away."""
    return isinstance(problem, Unavailable | OSError | TimeoutError) or db.is_away(problem) or db.is_busy(problem)


def where(problem: BaseException) -> str:
    """Name the lines that *problem* came through; its text stays out, for it may quote a row or a message."""
    frames = traceback.extract_tb(problem.__traceback__)[-4:]
    return " > ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames)
