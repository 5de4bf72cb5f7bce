"""Whatever happens in whatever order: every client has all that it may see, once, in order, or knows that it has not."""

import json

import pytest
from contracts import ids
from contracts.envelope import Audience
from contracts.ids import DeviceId, TenantId, UserId
from contracts.principal import Access, Principal, Role
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from realtime import hub as frames
from realtime.hub import Happened, Hub, Ring, View, may_see, on_wire, view_of

TENANTS = [TenantId(ids.new()) for _ in range(2)]
DEVICES = [DeviceId(ids.new()) for _ in range(2)]
TEAMS = [ids.new() for _ in range(2)]
PEOPLE = [UserId(ids.new()) for _ in range(2)]
#: What somebody may see: all, one number or the other, none.
SEEN = st.sampled_from([None, frozenset(DEVICES[:1]), frozenset(DEVICES[1:]), frozenset()])


def a_happened(seq, tenant=TENANTS[0], **changes):
    return Happened(**{"seq": seq, "tenant": tenant, "audience": Audience(), "frame": "new_message", "data": b'{"n":%d}' % seq, **changes})


def read(message):
    assert message[0] == 0x81
    size, start = message[1], 2
    if size == 126:
        size, start = int.from_bytes(message[2:4], "big"), 4
    elif size == 127:
        size, start = int.from_bytes(message[2:10], "big"), 10
    assert len(message) == start + size
    return json.loads(message[start:])


class Client:
    """A client as it should be: it knows its last sequence and insists on the chain."""

    def __init__(self, tenant, view, last):
        self.tenant, self.view, self.last = tenant, view, last
        self.got = []
        self.connected = False
        self.resynced = 0

    def send(self, message):
        frame = read(message)
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
        device=st.sampled_from([None, *DEVICES]),
    )
    def happens(self, tenant, frame, gap, device):
        seq = (self.stream[-1].seq if self.stream else 0) + gap
        self.stream.append(a_happened(seq, tenant, frame=frame, audience=Audience(device=device)))

    @rule(number=st.sampled_from([0, 1]), steps=st.integers(1, 6))
    def a_replica_hears(self, number, steps):
        hub = self.hubs[number]
        for happened in [one for one in self.stream if one.seq > hub.position][:steps]:
            hub.publish(happened)

    @rule(tenant=st.sampled_from(TENANTS), manager=st.booleans(), seen=SEEN, number=st.sampled_from([0, 1]))
    def comes(self, tenant, manager, seen, number):
        client = Client(tenant, View(manager, seen), self.hubs[number].position)
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
        if connected := [client for client in self.clients if client.connected and client.view.devices != seen]:
            client = data.draw(st.sampled_from(connected))
            hub = self.hubs[self.at[client]]
            hub.leave(client, client.tenant, client.view)
            client.view = client.view._replace(devices=seen)
            client.send(frames.resync("e", hub.position, "access"))
            client.since = client.last
            self._join(client, self.at[client], client.last)

    @rule(data=st.data(), number=st.sampled_from([0, 1]))
    def comes_back(self, data, number):
        if gone := [client for client in self.clients if not client.connected]:
            client = data.draw(st.sampled_from(gone))
            hub = self.hubs[number]
            missed = hub.after(client.tenant, client.view, client.last)
            if missed is None:
                client.send(frames.resync("e", hub.position, "too-old"))
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
        for client in self.clients:
            if client.connected:
                position = max(self.hubs[self.at[client]].position, client.last)
                due = [
                    one.seq
                    for one in self.stream
                    if client.since < one.seq <= position and one.tenant == client.tenant and may_see(client.view, one.audience, one.frame)
                ]
                assert client.got == due


TestSockets = Sockets.TestCase
TestSockets.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


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
    hub.publish(a_happened(2))
    assert len({id(message) for message in got[:3]}) == 1
    assert len({id(message) for message in got[3:]}) == 1


def test_another_tenant_hears_nothing():
    hub = Hub("e", Ring(0, events=10, size=1000))
    mine, theirs = Client(TENANTS[0], View(manager=True), 0), Client(TENANTS[1], View(manager=True), 0)
    hub.join(mine, mine.tenant, mine.view, 0)
    hub.join(theirs, theirs.tenant, theirs.view, 0)
    assert hub.publish(a_happened(1, TENANTS[0])) == 1
    assert hub.shout(TENANTS[0], "typing", b"{}") == 1
    assert (mine.got, theirs.got) == ([1], [])
    assert hub.after(TENANTS[1], theirs.view, 0) == []


@pytest.mark.parametrize(("role", "sees"), [(Role.OWNER, True), (Role.ADMIN, True), (Role.AGENT, False)])
def test_only_who_manages_numbers_sees_their_codes(role, sees):
    view = view_of(Principal(id=ids.new(), tenant=TENANTS[0], role=role))
    assert may_see(view, Audience(), "qr_code") is sees
    assert may_see(view, Audience(), "new_message")


@pytest.mark.parametrize("role", list(Role))
def test_who_sees_some_numbers_only_is_told_of_these_alone(role):
    access = Access(devices=frozenset(DEVICES[:1]))
    view = view_of(Principal(id=ids.new(), tenant=TENANTS[0], role=role, access=access))
    assert may_see(view, Audience(device=DEVICES[0]), "new_message")
    assert may_see(view, Audience(device=DEVICES[0]), "qr_code") is (role is not Role.AGENT)
    for audience in (Audience(device=DEVICES[1]), Audience()):
        for frame in ("new_message", "device_status", "qr_code"):
            assert not may_see(view, audience, frame)


@pytest.mark.parametrize("role", list(Role))
@given(
    access=st.builds(
        Access,
        devices=st.none() | st.frozensets(st.sampled_from(DEVICES)),
        teams=st.frozensets(st.sampled_from(TEAMS)),
        chats=st.sampled_from(["all", "team", "own"]),
    ),
    audience=st.builds(
        Audience,
        device=st.none() | st.sampled_from(DEVICES),
        team=st.none() | st.sampled_from(TEAMS),
        assignee=st.none() | st.sampled_from(PEOPLE),
    ),
)
def test_a_socket_is_told_of_the_chats_that_its_caller_reads_and_of_the_numbers_that_it_sees(role, access, audience):
    caller = Principal(id=PEOPLE[0], tenant=TENANTS[0], role=role, access=access)
    view = view_of(caller)
    assert may_see(view, audience, "new_message") is caller.reads(audience.device, audience.team, audience.assignee)
    assert may_see(view, audience, "device_status") is caller.sees(audience.device)


def test_an_epoch_says_whether_somebody_sees_what_it_saw_before():
    views = [View(manager=False, devices=devices) for devices in (None, frozenset(), frozenset(DEVICES), frozenset(DEVICES[:1]))]
    assert frames.mark("e", views[0]) == "e"
    views += [View(manager=False, chats="own", who=who) for who in PEOPLE]
    views += [View(manager=False, chats="team", teams=frozenset(TEAMS[:n]), who=PEOPLE[0]) for n in (0, 1, 2)]
    assert len({frames.mark("e", view) for view in views}) == len(views)
    assert frames.mark("e", View(manager=True, devices=frozenset(reversed(DEVICES)))) == frames.mark("e", views[2])


def test_a_gap_in_the_stream_is_told_to_everybody_and_the_chain_goes_on():
    hub = Hub("e", Ring(0, events=10, size=1000))
    client = Client(TENANTS[0], View(manager=False), 0)
    hub.join(client, client.tenant, client.view, 0)
    hub.publish(a_happened(1))
    hub.lose(100, "f")
    assert (client.resynced, client.last) == (1, 100)
    hub.publish(a_happened(101))
    assert client.got == [101]
    assert hub.after(client.tenant, client.view, 1) is None


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 100_000])
def test_a_frame_of_any_size_is_what_the_protocol_says(size):
    message = on_wire(b'"%b"' % (b"x" * size))
    assert read(message) == "x" * size
