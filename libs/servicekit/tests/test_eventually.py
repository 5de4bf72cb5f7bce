import itertools
from functools import partial

import pytest
from servicekit.testing import eventually


async def test_a_probe_is_called_until_it_returns_something_true():
    calls = itertools.count()
    assert await eventually(lambda: next(calls) >= 3, every=0) is True
    assert next(calls) == 4


async def test_a_probe_of_asserts_holds_once_none_of_them_fails():
    calls = itertools.count()

    async def probe():
        assert next(calls) == 2

    await eventually(probe, every=0)
    await eventually(partial(lambda: None), timeout=1)


async def test_a_lookup_that_finds_nothing_does_not_hold():
    async def look_up(what):
        return what

    with pytest.raises(AssertionError, match=r"Not within 0\.02 s; at last: it returned None"):
        await eventually(lambda: look_up(None), timeout=0.02, every=0)


async def test_the_last_failure_is_told_when_the_time_is_up():
    def probe():
        assert [1] == [2], "the lists differ"

    with pytest.raises(AssertionError, match="the lists differ"):
        await eventually(probe, timeout=0.02, every=0)


async def test_any_other_error_is_not_waited_out():
    def probe():
        raise LookupError("gone")

    with pytest.raises(LookupError):
        await eventually(probe)
