"""Whatever happens in whatever order: every client has all that it may see, once, in order, or knows that it has not."""

import json
from dataclasses import replace

import pytest
from contracts import ids
from contracts.envelope import Audience
from contracts.ids import DeviceId, TenantId, UserId
from contracts.principal import Access, Principal, Role
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from realtime import frames
from realtime.frames import About, Happened, View, Wire, allowed, may_see, on_wire, view_of
from realtime.hub import Hub, Ring

TENANTS = [TenantId(ids.new()) for _ in range(2)]
DEVICES = [DeviceId(ids.new()) for _ in range(2)]
TEAMS = [ids.new() for _ in range(2)]
PEOPLE = [UserId(ids.new()) for _ in range(2)]
TEAMS = [ids.new() for _ in range(2)]
PEOPLE = [UserId(ids.new()) for _ in range(2)]
#: What somebody may see: which numbers, and which of their chats.
SEEN = st.builds(
    lambda devices, chats, teams: Access(devices=devices, chats=chats, teams=teams),
    st.sampled_from([None, None, frozenset(DEVICES[:1]), frozenset()]),
    st.sampled_from(["all", "team", "own"]),
    st.sampled_from([frozenset(), frozenset(TEAMS[:1])]),
)


def a_view(access, user=PEOPLE[0], role=Role.AGENT):
    return view_of(Principal(id=user, tenant=TENANTS[0], role=role, access=access))


def a_happened(seq, tenant=TENANTS[0], **changes):
    return Happened(**{"seq": seq, "tenant": tenant, "audience": Audience(), "frame": "new_message", "data": b'{"n":%d}' % seq, **changes})


def read_all(message):
    """Read one or more frames of a WebSocket."""
    found = []
    while message:
        assert message[0] == 0x81
        size, start = message[1], 2
        if size == 126:
            size, start = int.from_bytes(message[2:4], "big"), 4
        elif size == 127:
            size, start = int.from_bytes(message[2:10], "big"), 10
        assert len(message) >= start + size
        found.append(json.loads(message[start : start + size]))
        message = message[start + size :]
    return found


def read(message):
    (frame,) = read_all(message)
    return frame


class Client:
    """A client as it should be: it knows its last sequence and insists on the chain."""

    def __init__(self, tenant, view, last):
        self.tenant, self.view, self.last = tenant, view, last
        self.got = []
        self.connected = False
        self.resynced = 0

    def send(self, message):
        for frame in read_all(message):
            self.take(frame)

    def take(self, frame):
        if frame["event"] == "resync":
            self.resynced += 1
            self.got.clear()
            self.last = frame["seq"]
            return
        if "seq" not in frame:
            return
        assert frame["prev"] == self.last, "something is missing"
        assert frame["seq"] > self.last, "something came twice"
        self.last = frame["seq"]
        self.got.append(frame["seq"])


class Sockets(RuleBasedStateMachine):
    """Clients come, go and come back while events happen, to two replicas of which one may lag behind."""

    def __init__(self):
        super().__init__()
        self.hubs = [Hub("e", Ring(0, events=12, size=10_000)) for _ in range(2)]
        self.stream = []
        self.clients = []
        self.at = {}

    @rule(
        tenant=st.sampled_from(TENANTS),
        frame=st.sampled_from(["new_message", "qr_code"]),
        gap=st.integers(1, 3),
        audience=st.builds(
            lambda device, team, assignee: Audience(device=device, team=team, assignee=assignee),
            st.sampled_from([None, *DEVICES]),
            st.sampled_from([None, *TEAMS]),
            st.sampled_from([None, *PEOPLE]),
        ),
        former=st.sampled_from([None, Audience(device=DEVICES[0], assignee=PEOPLE[0])]),
    )
    def happens(self, tenant, frame, gap, audience, former):
        seq = (self.stream[-1].seq if self.stream else 0) + gap
        self.stream.append(a_happened(seq, tenant, frame=frame, audience=audience, former=former))

    @rule(number=st.sampled_from([0, 1]), steps=st.integers(1, 6), flushed=st.booleans())
    def a_replica_hears(self, number, steps, flushed):
        hub = self.hubs[number]
        for happened in [one for one in self.stream if one.seq > hub.position][:steps]:
            hub.publish(happened)
        if flushed:
            hub.flush()

    @rule(
        tenant=st.sampled_from(TENANTS),
        role=st.sampled_from(list(Role)),
        seen=SEEN,
        user=st.sampled_from(PEOPLE),
        number=st.sampled_from([0, 1]),
    )
    def comes(self, tenant, role, seen, user, number):
        client = Client(tenant, a_view(seen, user, role), self.hubs[number].position)
        client.since = client.last
        self.clients.append(client)
        self._join(client, number, client.last)

    @rule(data=st.data())
    def goes(self, data):
        if connected := [client for client in self.clients if client.connected]:
            client = data.draw(st.sampled_from(connected))
            client.connected = False
            self.hubs[self.at[client]].leave(client, client.tenant, client.view)

    @rule(data=st.data(), seen=SEEN)
    def is_let_see_something_else(self, data, seen):
        if connected := [client for client in self.clients if client.connected and client.view != a_view(seen)]:
            client = data.draw(st.sampled_from(connected))
            hub = self.hubs[self.at[client]]
            hub.leave(client, client.tenant, client.view)
            client.view = a_view(seen)
            client.send(frames.lost("e", hub.position, "access"))
            client.since = client.last
            self._join(client, self.at[client], client.last)

    @rule(data=st.data(), number=st.sampled_from([0, 1]))
    def comes_back(self, data, number):
        if gone := [client for client in self.clients if not client.connected]:
            client = data.draw(st.sampled_from(gone))
            hub = self.hubs[number]
            missed = hub.after(client.tenant, client.view, client.last)
            if missed is None:
                client.send(frames.lost("e", hub.position, "too-old"))
                client.since = client.last
            else:
                last = client.last
                for happened in missed:
                    client.send(frames.event(happened, last))
                    last = happened.seq
            self._join(client, number, client.last)

    def _join(self, client, number, last):
        client.connected = True
        self.at[client] = number
        self.hubs[number].join(client, client.tenant, client.view, last)

    @invariant()
    def every_connected_client_has_all_that_its_replica_heard(self):
        for hub in self.hubs:
            hub.flush()
        for client in self.clients:
            if client.connected:
                position = max(self.hubs[self.at[client]].position, client.last)
                due = [
                    one.seq
                    for one in self.stream
                    if client.since < one.seq <= position and one.tenant == client.tenant and may_see(client.view, one)
                ]
                assert client.got == due


TestSockets = Sockets.TestCase
TestSockets.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@settings(deadline=None)
@given(st.lists(st.integers(0, 1), max_size=40), st.integers(0, 10), st.integers(0, 300), st.integers(0, 45))
def test_the_ring_has_all_above_its_floor_and_stays_in_bounds(owners, events, size, since):
    ring = Ring(0, events=events, size=size)
    every = [a_happened(seq, TENANTS[owner], data=b"x" * 20) for seq, owner in enumerate(owners, 1)]
    for happened in every:
        ring.add(happened)
        assert len(ring) <= events
        assert len(ring) * 20 <= size
    for tenant in TENANTS:
        due = [one for one in every if one.tenant == tenant and one.seq > max(since, ring.floor)]
        assert ring.after(tenant, max(since, ring.floor)) == due


def test_who_comes_from_a_replica_that_was_ahead_hears_nothing_twice():
    hub = Hub("e", Ring(0, events=10, size=1000))
    ahead, level = Client(TENANTS[0], View(manager=True), 2), Client(TENANTS[0], View(manager=True), 0)
    hub.join(level, level.tenant, level.view, 0)
    hub.join(ahead, ahead.tenant, ahead.view, 2)
    for seq in (1, 2, 3):
        hub.publish(a_happened(seq))
    hub.flush()
    assert (ahead.got, level.got) == ([3], [1, 2, 3])


def test_sockets_with_one_view_share_one_frame():
    hub = Hub("e", Ring(0, events=10, size=1000))
    got = []

    class Keeper:
        def send(self, message):
            got.append(message)

    keepers = [Keeper() for _ in range(3)]
    for keeper in keepers:
        hub.join(keeper, TENANTS[0], View(manager=True), 0)
    hub.publish(a_happened(1))
    assert len(got) == 3  # the first of each is written for who stands there
    hub.publish(a_happened(2))
    hub.publish(a_happened(3))
    assert len(got) == 3
    hub.flush()
    assert len({id(message) for message in got[:3]}) == 1
    assert len({id(message) for message in got[3:]}) == 1
    assert [frame["seq"] for frame in read_all(got[3])] == [2, 3]
    hub.flush()
    assert len(got) == 6


def test_another_tenant_hears_nothing():
    hub = Hub("e", Ring(0, events=10, size=1000))
    mine, theirs = Client(TENANTS[0], View(manager=True), 0), Client(TENANTS[1], View(manager=True), 0)
    hub.join(mine, mine.tenant, mine.view, 0)
    hub.join(theirs, theirs.tenant, theirs.view, 0)
    assert hub.publish(a_happened(1, TENANTS[0])) == 1
    assert hub.shout(TENANTS[0], "typing", lambda view: b"{}") == 1
    assert hub.shout(TENANTS[0], "typing", lambda view: None) == 0
    assert (mine.got, theirs.got) == ([1], [])
    assert hub.after(TENANTS[1], theirs.view, 0) == []


@pytest.mark.parametrize(("role", "sees"), [(Role.OWNER, True), (Role.ADMIN, True), (Role.AGENT, False)])
def test_only_who_manages_numbers_sees_their_codes(role, sees):
    view = a_view(Access(), role=role)
    assert allowed(view, "qr_code", About.NUMBER, Audience()) is sees
    assert may_see(view, a_happened(1))


@pytest.mark.parametrize("role", list(Role))
def test_who_sees_some_numbers_only_is_told_of_these_alone(role):
    view = a_view(Access(devices=frozenset(DEVICES[:1])), role=role)
    assert may_see(view, a_happened(1, audience=Audience(device=DEVICES[0])))
    assert allowed(view, "qr_code", About.NUMBER, Audience(device=DEVICES[0])) is (role is not Role.AGENT)
    for audience in (Audience(device=DEVICES[1]), Audience()):
        for about in (About.CHAT, About.NUMBER):
            assert not may_see(view, a_happened(1, audience=audience, about=about))
        assert may_see(view, a_happened(1, audience=audience, about=About.ACCOUNT, frame="tag_changed"))
        assert may_see(view, a_happened(1, about=About.ACCOUNT, frame="webhook_disabled")) is (role is not Role.AGENT)


@pytest.mark.parametrize(("chats", "reads"), [("all", "nobodys team other mine"), ("team", "team mine"), ("own", "mine")])
def test_who_sees_some_chats_only_is_told_of_these_and_of_numbers(chats, reads):
    view = a_view(Access(chats=chats, teams=frozenset(TEAMS[:1])))
    audiences = {
        "nobodys": Audience(device=DEVICES[0]),
        "team": Audience(device=DEVICES[0], team=TEAMS[0], assignee=PEOPLE[1]),
        "other": Audience(device=DEVICES[0], team=TEAMS[1], assignee=PEOPLE[1]),
        "mine": Audience(device=DEVICES[0], team=TEAMS[1], assignee=PEOPLE[0]),
    }
    assert " ".join(name for name, audience in audiences.items() if may_see(view, a_happened(1, audience=audience))) == reads
    assert may_see(view, a_happened(1, audience=audiences["nobodys"], about=About.NUMBER, frame="device_status"))
    assert allowed(view, "typing", About.CHAT, None) is (chats == "all")


def test_who_loses_a_chat_is_told_of_it_once_more():
    taken = a_happened(1, frame="chat_assigned", audience=Audience(device=DEVICES[0], assignee=PEOPLE[1]))
    view = a_view(Access(chats="own"))
    assert not may_see(view, taken)
    assert may_see(view, replace(taken, former=Audience(device=DEVICES[0], assignee=PEOPLE[0])))
    elsewhere = a_view(Access(chats="own", devices=frozenset(DEVICES[1:])))
    assert not may_see(elsewhere, replace(taken, former=Audience(device=DEVICES[0], assignee=PEOPLE[0])))


def test_an_epoch_says_whether_somebody_sees_what_it_saw_before():
    some = [Access(devices=devices) for devices in (frozenset(), frozenset(DEVICES), frozenset(DEVICES[:1]))]
    views = [a_view(access) for access in (Access(), *some, Access(chats="own"), Access(chats="team"))]
    views += [a_view(Access(chats="own"), PEOPLE[1]), a_view(Access(chats="team", teams=frozenset(TEAMS)))]
    views.append(a_view(Access(), role=Role.OWNER))
    assert frames.mark("e", views[-1]) == "e"
    assert len({frames.mark("e", view) for view in views}) == len(views)
    same = a_view(Access(devices=frozenset(reversed(DEVICES)), teams=frozenset(TEAMS)), PEOPLE[1])
    assert frames.mark("e", same) == frames.mark("e", views[2])


def test_people_who_see_the_same_share_a_view_whatever_their_teams_are():
    assert a_view(Access(teams=frozenset(TEAMS))) == a_view(Access(), PEOPLE[1])
    assert a_view(Access(chats="own", teams=frozenset(TEAMS))) == a_view(Access(chats="own"))
    assert a_view(Access(chats="own")) != a_view(Access(chats="own"), PEOPLE[1])


def test_a_stream_of_events_is_told_the_same_with_the_place_to_go_on_from():
    hub = Hub("e", Ring(0, events=10, size=1000))
    got = []

    class Keeper:
        def send(self, message):
            got.append(message)

    hub.join(Keeper(), TENANTS[0], View(manager=True), 0, Wire.STREAM)
    hub.publish(a_happened(7))
    hub.shout(TENANTS[0], "typing", lambda view: b"{}")
    hub.lose(100, "f")
    hub.publish(a_happened(101))
    hub.flush()
    text = b"".join(got).decode()
    assert text.endswith("\n\n")
    places, bodies = [], []
    for block in text.removesuffix("\n\n").split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n"))
        places.append(lines.get("id"))
        bodies.append(json.loads(lines["data"]))
    assert places == ["e:7", None, "f:100", "f:101"]
    assert [body.get("seq") for body in bodies] == [7, None, 100, 101]
    assert bodies[-1]["prev"] == 100


def test_a_gap_in_the_stream_is_told_to_everybody_and_the_chain_goes_on():
    hub = Hub("e", Ring(0, events=10, size=1000))
    client = Client(TENANTS[0], View(manager=False), 0)
    hub.join(client, client.tenant, client.view, 0)
    hub.publish(a_happened(1))
    hub.lose(100, "f")
    assert (client.resynced, client.last) == (1, 100)
    hub.publish(a_happened(101))
    hub.flush()
    assert client.got == [101]
    assert hub.after(client.tenant, client.view, 1) is None


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 100_000])
def test_a_frame_of_any_size_is_what_the_protocol_says(size):
    message = on_wire(b'"%b"' % (b"x" * size))
    assert read(message) == "x" * size


def test_what_is_erased_is_not_told_to_who_resumes_and_the_ring_keeps_its_bounds():
    ring = Ring(0, events=5, size=1000)
    for seq in range(1, 7):
        ring.add(a_happened(seq, TENANTS[seq % 2]))
    assert ring.erase(TENANTS[0], lambda one: one.seq == 4) == 1
    assert ring.erase(TENANTS[0], lambda one: one.seq == 4) == 0
    assert [one.seq for one in ring.after(TENANTS[0], 0)] == [2, 6]
    assert [one.seq for one in ring.after(TENANTS[1], 0)] == [3, 5]
    assert ring.floor == 1
    ring.add(a_happened(7, TENANTS[1]))
    ring.add(a_happened(8, TENANTS[0]))
    assert (len(ring), ring.floor) == (5, 2)
    assert [one.seq for one in ring.after(TENANTS[0], 0)] == [6, 8]
