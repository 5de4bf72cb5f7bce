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
REPLICAS = st.sampled_from(["a", "b", "c"])
WORDS = st.lists(
    st.tuples(st.just("beat") | st.tuples(st.sampled_from(USERS), st.none() | PRESENTS), REPLICAS, st.floats(0, 6)), max_size=40
)


@settings(deadline=None)
@given(WORDS)
def test_what_is_known_of_somebody_is_what_those_replicas_said_last_that_live(words):
    roster, now, said, lived = Roster(GONE), 0.0, {}, {}

    def together():
        live = {replica for replica, at in lived.items() if now - at < GONE}
        return {one: merged([what for (whose, replica), what in said.items() if whose == one and replica in live]) for one in USERS}

    for what, replica, pause in words:
        before, now = together(), now + pause
        expired = roster.expire(now)
        known = together()
        assert {one: roster.of(TENANT, one) for one in USERS} == known
        assert set(expired) == {(TENANT, one) for one in USERS if before[one] != known[one]}
        if what == "beat":
            changed = roster.beat(replica, now)
            lived[replica] = now
        else:
            user, present = what
            changed = [(TENANT, user)] if roster.hear(TENANT, user, replica, present, now) else []
            said[user, replica] = present
            if present is None:
                del said[user, replica]
        after = together()
        assert {one: roster.of(TENANT, one) for one in USERS} == after
        assert set(changed) == {(TENANT, one) for one in USERS if known[one] != after[one]}
        assert roster.everyone(TENANT) == {one: present for one, present in after.items() if present is not None}


def test_somebody_is_online_where_one_of_two_tabs_is_and_away_where_none_is():
    here, away = Present(state="online", chats=("cht_1",)), Present(state="away", chats=("cht_2",))
    assert merged([here, away]) == Present(state="online", chats=("cht_1", "cht_2"))
    assert merged([away, away]) == away
    assert merged([]) is None


def test_a_replica_that_falls_silent_takes_its_people_with_it_says_so_once_and_brings_them_back():
    roster = Roster(GONE, forgotten=100.0)
    roster.beat("a", 0.0)
    roster.beat("b", 5.0)
    roster.hear(TENANT, USERS[0], "a", Present(state="online"), 0.0)
    roster.hear(TENANT, USERS[0], "b", Present(state="away"), 5.0)
    roster.hear(TENANT, USERS[1], "a", Present(state="online"), 5.0)
    assert roster.expire(GONE - 0.1) == []
    assert sorted(roster.expire(GONE)) == sorted([(TENANT, USERS[0]), (TENANT, USERS[1])])
    assert roster.everyone(TENANT) == {USERS[0]: Present(state="away")}
    assert sorted(roster.beat("a", 12.0)) == sorted([(TENANT, USERS[0]), (TENANT, USERS[1])])
    assert roster.everyone(TENANT) == {user: Present(state="online") for user in USERS}
    roster.expire(30.0)
    assert roster.everyone(TENANT) == {}
    assert roster.expire(130.0) == []
    assert roster.beat("a", 131.0) == []  # by now it is another one
