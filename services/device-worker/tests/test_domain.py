"""The state machine of a device, on its own."""

from datetime import UTC, datetime, timedelta

import pytest
from contracts import ids
from contracts.events.devices import DeviceState
from contracts.ids import DeviceId, TenantId
from device_worker import domain
from device_worker.domain import Device, LoggingOut, Wanted
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
LATER = AT + timedelta(minutes=1)


def a_device(**changes: object) -> Device:
    values = {"tenant": TenantId(ids.new()), "id": DeviceId(ids.new()), "name": "Sales", "created_at": AT, "changed_at": AT}
    return Device(**(values | changes))  # type: ignore[arg-type]


def a_linked_device(**changes: object) -> Device:
    return a_device(
        **({"jid": "5215:3@s.whatsapp.net", "phone": "5215", "state": DeviceState.CONNECTED, "wanted": Wanted.CONNECTED} | changes)
    )


def test_a_scan_leads_from_new_to_connected():
    device = a_device().connect(AT)
    assert device.state is DeviceState.PAIRING
    device = device.paired(AT, "5215:3@s.whatsapp.net", "5215", None)
    assert (device.state, device.phone) == (DeviceState.CONNECTING, "5215")
    device = device.connected(AT, "77")
    assert (device.state, device.lid, device.reason, device.revision) == (DeviceState.CONNECTED, "77", None, 4)


def test_an_expired_qr_asks_for_another_scan_and_keeps_what_was_known():
    fresh = a_device().connect(AT).pairing_ended(LATER, domain.QR_EXPIRED)
    assert (fresh.state, fresh.reason, fresh.action, fresh.wanted) == ("new", "qr-expired", "scan-again", "disconnected")
    known = a_linked_device().unlinked(AT, domain.UNLINKED).connect(AT).pairing_ended(LATER, domain.QR_EXPIRED)
    assert (known.state, known.phone) == ("logged_out", "5215")


def test_disconnect_keeps_the_link_and_logout_undoes_it():
    device = a_linked_device()
    kept = device.disconnect(LATER)
    assert (kept.state, kept.jid, kept.action) == ("disconnected", device.jid, "connect")
    assert kept.connect(LATER).state is DeviceState.CONNECTING
    undone = device.logout(LATER)
    assert (undone.wanted, undone.reason) == (Wanted.LOGGED_OUT, "logging-out")
    undone = undone.unlinked(LATER, domain.BY_USER)
    assert (undone.state, undone.jid, undone.wanted) == ("logged_out", None, Wanted.DISCONNECTED)


@pytest.mark.parametrize("order", ["connect", "disconnect", "logout", "delete"])
@pytest.mark.parametrize("device", [a_device(), a_linked_device(), a_device().connect(AT), a_linked_device().disconnect(AT)])
def test_an_order_given_twice_is_one(device, order):
    once = getattr(device, order)(LATER)
    if order == "connect" and once.wanted is Wanted.LOGGED_OUT:
        return
    assert getattr(once, order)(LATER + timedelta(seconds=5)) is once


def test_nobody_connects_what_is_being_logged_out():
    with pytest.raises(LoggingOut):
        a_linked_device().logout(AT).connect(LATER)


def test_a_report_that_comes_after_the_order_to_stop_changes_nothing():
    stopped = a_linked_device().disconnect(AT)
    for late in (stopped.connected(LATER), stopped.connecting(LATER), stopped.replaced(LATER, again=True), stopped.failed(LATER, "x")):
        assert late is stopped


def test_a_ban_lasts_until_its_end_even_if_somebody_connects():
    until = LATER + timedelta(hours=1)
    banned = a_linked_device().banned(AT, until, "banned")
    assert banned.connect(LATER).state is DeviceState.BANNED
    assert banned.disconnect(LATER).connect(LATER).state is DeviceState.BANNED
    assert banned.connecting(until + timedelta(seconds=1)).until is None


def test_a_session_opened_elsewhere_again_is_left_to_the_user():
    first = a_linked_device().replaced(AT, again=False)
    assert (first.state, first.wanted) == ("replaced", Wanted.CONNECTED)
    again = first.connecting(AT).replaced(AT, again=True)
    assert (again.wanted, again.action) == (Wanted.DISCONNECTED, "connect")


def test_a_number_without_a_worker_that_has_room_says_so_until_there_is_one():
    device = a_linked_device().without_room(LATER)
    assert (device.state, device.reason, device.action, device.wanted) == ("connecting", "no-capacity", "wait", "connected")
    assert (device.connected(LATER).state, device.connected(LATER).reason) == ("connected", None)
    pairing = a_device().connect(AT).without_room(LATER)
    assert (pairing.state, pairing.reason, pairing.action) == ("pairing", "no-capacity", "wait")
    assert (pairing.with_room(LATER).state, pairing.with_room(LATER).reason) == ("pairing", None)
    assert pairing.qr_shown(LATER).reason == "qr-shown"
    for other in (a_device(), a_linked_device().disconnect(AT), a_linked_device().banned(AT, LATER + timedelta(days=1), "banned")):
        assert other.without_room(LATER) is other


def test_a_session_of_a_suspended_account_waits_and_goes_on_when_it_is_let_in():
    waiting = a_linked_device().suspend(LATER)
    assert (waiting.state, waiting.reason, waiting.wanted) == ("disconnected", "account-suspended", Wanted.CONNECTED)
    assert not waiting.works_on_session
    for late in (waiting.connected(LATER), waiting.connecting(LATER), waiting.banned(LATER, LATER, "x"), waiting.connect(LATER)):
        assert late is waiting
    assert waiting.suspend(LATER) is waiting
    again = waiting.let_in(LATER)
    assert (again.state, again.reason, again.works_on_session) == ("connecting", None, True)
    assert again.let_in(LATER) is again


def test_what_has_no_session_stays_as_it_is_when_its_account_is_suspended_and_a_pairing_ends():
    for idle in (a_device(), a_linked_device().disconnect(AT), a_linked_device().logout(AT)):
        assert idle.suspend(LATER) is idle
        assert idle.let_in(LATER) is idle
    ended = a_device().connect(AT).suspend(LATER)
    assert (ended.state, ended.reason, ended.wanted) == ("new", "account-suspended", Wanted.DISCONNECTED)
    assert ended.let_in(LATER) is ended


class Life(RuleBasedStateMachine):
    """Any order of orders and reports."""

    def __init__(self) -> None:
        super().__init__()
        self.device = a_device()
        self.before = self.device
        self.at = AT

    def move(self, after: Device) -> None:
        self.before, self.device = self.device, after

    @rule(name=st.sampled_from(["connect", "disconnect", "logout", "delete"]))
    def order(self, name: str) -> None:
        try:
            self.move(getattr(self.device, name)(self.now()))
        except LoggingOut:
            assert self.device.wanted is Wanted.LOGGED_OUT

    @rule(
        report=st.sampled_from(
            [
                lambda d, at: d.paired(at, "5:1@s.whatsapp.net", "5", None),
                lambda d, at: d.pairing_ended(at, "qr-expired"),
                lambda d, at: d.connecting(at, "connection-lost"),
                lambda d, at: d.connected(at, "9"),
                lambda d, at: d.unlinked(at, "unlinked-on-phone"),
                lambda d, at: d.replaced(at, again=False),
                lambda d, at: d.replaced(at, again=True),
                lambda d, at: d.banned(at, at + timedelta(hours=1), "banned"),
                lambda d, at: d.failed(at, "refused"),
                lambda d, at: d.suspend(at),
                lambda d, at: d.let_in(at),
            ]
        )
    )
    def hear(self, report) -> None:
        self.move(report(self.device, self.now()))

    @precondition(lambda self: self.device.wanted is Wanted.DELETED)
    @rule()
    def nothing_brings_it_back(self) -> None:
        assert self.device.connect(self.now()).wanted is Wanted.DELETED

    def now(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at

    @invariant()
    def a_change_is_one_revision(self) -> None:
        assert self.device.revision - self.before.revision == (self.device is not self.before and self.device != self.before)

    @invariant()
    def only_a_linked_device_has_a_session(self) -> None:
        if self.device.state in (DeviceState.CONNECTED, DeviceState.CONNECTING, DeviceState.BANNED, DeviceState.REPLACED):
            assert self.device.jid is not None

    @invariant()
    def nobody_pairs_what_is_linked(self) -> None:
        if self.device.state is DeviceState.PAIRING:
            assert self.device.jid is None

    @invariant()
    def only_what_is_wanted_is_connected(self) -> None:
        if self.device.state in (DeviceState.CONNECTED, DeviceState.CONNECTING):
            assert self.device.wanted is not Wanted.DISCONNECTED

    @invariant()
    def what_is_suspended_is_wanted_and_not_there(self) -> None:
        if self.device.suspended:
            assert self.device.state is DeviceState.DISCONNECTED
            assert self.device.let_in(self.at).state is DeviceState.CONNECTING

    @invariant()
    def a_ban_has_an_end(self) -> None:
        assert (self.device.state is DeviceState.BANNED) == (self.device.until is not None)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
