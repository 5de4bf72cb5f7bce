import pytest
from clarin.folder import Folder
from clarin.rolling import NotBack, order, roll, waves

LARGE = [
    "postgres", "nats-2", "nats-1", "nats-3", "valkey", "pgbouncer", "sim", "auth", "auth-2", "conversations", "conversations-2",
    "realtime", "realtime-2", "gateway", "gateway-2", "worker-1", "worker-2",
]  # fmt: skip


def test_who_asks_is_restarted_before_who_answers_and_whatsapp_not_at_all():
    found = order(LARGE)
    assert found[:2] == ["gateway", "gateway-2"]
    assert found[-8:] == ["worker-1", "worker-2", "nats-1", "nats-2", "nats-3", "valkey", "pgbouncer", "postgres"]
    assert set(found) == set(LARGE) - {"sim"}


@pytest.mark.parametrize("at_once", [1, 2, 4, 16])
def test_no_two_of_a_kind_go_together_and_of_servers_and_workers_never_two(at_once):
    made = waves(LARGE, at_once)
    assert sorted(name for wave in made for name in wave) == sorted(set(LARGE) - {"sim"})
    assert max(map(len, made)) == min(at_once, 4)
    for wave in made:
        kinds = [name.partition("-")[0] for name in wave]
        assert len(set(kinds)) == len(kinds)
        assert len(wave) == 1 or not set(kinds) & {"worker", "nats", "valkey", "pgbouncer", "postgres"}


async def test_where_nothing_runs_nothing_is_restarted(tmp_path):
    with pytest.raises(NotBack, match="Nothing runs"):
        await roll(Folder(tmp_path))
