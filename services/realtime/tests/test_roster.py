"""Who is there is what every replica says together, and what is not repeated is forgotten."""

from contracts import ids
from contracts.ids import TenantId, UserId
from contracts.presence import Present
from hypothesis import given, settings
from hypothesis import strategies as st
from realtime.roster import Roster, merged

TENANT = TenantId(ids.new())
USERS = [UserId(ids.new()) for _ in range(2)]
GONE = 11.0

PRESENTS = st.builds(Present, state=st.sampled_from(["online", "away"]), chats=st.sampled_from([(), ("cht_1",), ("cht_1", "cht_2")]))
WORDS = st.lists(
    st.tuples(st.sampled_from(USERS), st.sampled_from(["a", "b", "c"]), st.none() | PRESENTS, st.floats(0, 6)),
    max_size=30,
)


@settings(deadline=None)
@given(WORDS)
def test_what_is_known_of_somebody_is_what_its_replicas_said_last_and_lately(words):
    roster, now, last = Roster(GONE), 0.0, {}
    for user, replica, present, pause in words:
        now += pause
        expired = roster.expire(now)
        known = {key: (said, at) for key, (said, at) in last.items() if now - at < GONE}
        before = {one: merged([said for (whose, _), (said, _) in known.items() if whose == one and said]) for one in USERS}
        assert {one: roster.of(TENANT, one) for one in USERS} == before
        assert set(expired) <= {(TENANT, one) for one in USERS}
        last = known
        changed = roster.hear(TENANT, user, replica, present, now)
        last[user, replica] = (present, now)
        if present is None:
            del last[user, replica]
        after = merged([said for (whose, _), (said, _) in last.items() if whose == user])
        assert roster.of(TENANT, user) == after
        assert changed == (after != before[user])
    assert roster.everyone(TENANT).keys() == {user for (user, _) in last}


def test_somebody_is_online_where_one_of_two_tabs_is_and_away_where_none_is():
    here, away = Present(state="online", chats=("cht_1",)), Present(state="away", chats=("cht_2",))
    assert merged([here, away]) == Present(state="online", chats=("cht_1", "cht_2"))
    assert merged([away, away]) == away
    assert merged([]) is None


def test_a_replica_that_falls_silent_takes_its_people_with_it_and_says_so_once():
    roster = Roster(GONE)
    roster.hear(TENANT, USERS[0], "a", Present(state="online"), 0.0)
    roster.hear(TENANT, USERS[0], "b", Present(state="away"), 5.0)
    roster.hear(TENANT, USERS[1], "a", Present(state="online"), 5.0)
    assert roster.expire(GONE - 0.1) == []
    assert roster.expire(GONE) == [(TENANT, USERS[0])]
    assert roster.of(TENANT, USERS[0]) == Present(state="away")
    assert sorted(roster.expire(16.0)) == sorted([(TENANT, USERS[0]), (TENANT, USERS[1])])
    assert roster.everyone(TENANT) == {}
    assert roster.expire(100.0) == []
