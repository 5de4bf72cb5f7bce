"""Sixty browsers on two replicas, real events through NATS, everything falls once: each ends with exactly what its role may see."""

import pytest

from bench import realtime

pytestmark = pytest.mark.timeout(150)


async def test_every_browser_ends_with_exactly_what_its_role_may_see_or_knows_that_it_has_not():
    result = await realtime.run(
        sockets=60, replicas=2, tenants=20, rate=150, seconds=6, cuts_per_s=10, kills=1, restarts=1, changes=4, replay=300
    )
    assert (result["lost"], result["doubled"], result["disordered"], result["broken_chains"]) == (0, 0, 0, 0), result
    assert result["done"] == result["asked"] > 500, result
    assert result["connections"] > result["sockets"], "nobody was cut off"
    assert result["frames"] > 500, result
    assert set(result["resyncs"]) <= {"access", "too-old"}, result
    assert result["resyncs"].get("access"), "what nobody sees differently is told nobody anew"
    assert result["presence_gone_s"] <= realtime.GONE_SECONDS
