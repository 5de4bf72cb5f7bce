"""Waiting for what comes true in its own time."""

import asyncio
import dis
import inspect
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar, cast

T = TypeVar("T")


async def eventually(probe: Callable[[], Awaitable[T] | T], timeout: float = 30, every: float = 0.02) -> T:
    """Call *probe* until it holds, and give what it returned.

    It holds when it raises no AssertionError and returns something true. A probe made of asserts alone, which has no value
    to return, holds when it returns at all; one that looks something up and finds None does not.

    Raises:
        AssertionError: *timeout* seconds went by; the text says what the last call gave.
    """
    end = time.monotonic() + timeout
    while True:
        failure: AssertionError | None = None
        result: Any = None
        try:
            result = probe()
            if inspect.isawaitable(result):
                result = await asyncio.wait_for(result, max(end - time.monotonic(), every) + 1)
            if result or (result is None and _has_no_value(probe)):
                return cast("T", result)
        except AssertionError as error:
            failure = error
        if time.monotonic() >= end:
            last = f"it returned {result!r}" if failure is None else str(failure) or repr(failure)
            raise AssertionError(f"Not within {timeout:g} s; at last: {last}") from failure
        await asyncio.sleep(every)


def _has_no_value(probe: object) -> bool:
    while isinstance(probe, partial):
        probe = probe.func
    code = getattr(getattr(probe, "__func__", probe), "__code__", None)
    if code is None:
        return False
    before = None
    for step in dis.get_instructions(code):
        if step.opname == "RETURN_VALUE" and not (before is not None and before.opname == "LOAD_CONST" and before.argval is None):
            return False
        if step.opname == "RETURN_CONST" and step.argval is not None:
            return False
        before = step
    return True
