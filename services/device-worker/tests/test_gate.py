"""The gate before the library, and the reading of its errors."""

import threading

import pytest
from device_worker.whatsapp import Meaning, StoreWatch
from device_worker.whatsapp.errors import ignored_message, meaning, redacted, unanswered_phone
from device_worker.whatsapp.gate import ALONE_SECONDS, SHARED_SECONDS, Gate
from device_worker.whatsapp.library import store_url
from device_worker.whatsapp.store import pooled
from hypothesis import given
from hypothesis import strategies as st
from servicekit.testing import eventually


def test_nobody_is_inside_beside_who_is_alone():
    gate, inside, seen = Gate(), [], []
    lock, pause = threading.Lock(), threading.Event()

    def work(alone: bool) -> None:
        for _ in range(60):
            with gate.alone() if alone else gate.shared():
                with lock:
                    inside.append(alone)
                    seen.append(tuple(inside))
                pause.wait(0.0002)
                with lock:
                    inside.remove(alone)

    threads = [threading.Thread(target=work, args=(number % 3 == 0,)) for number in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert all(len(some) == 1 for some in seen if True in some)
    assert any(len(some) > 1 for some in seen)


async def test_who_waits_to_be_alone_is_not_overtaken_for_ever():
    gate = Gate()
    first = gate.enter(alone=False)
    admitted: list[str] = []

    def enter(name: str, alone: bool) -> None:
        turn = gate.enter(alone=alone)
        admitted.append(name)
        gate.leave(turn)

    alone = threading.Thread(target=enter, args=("alone", True))
    alone.start()
    await eventually(lambda: len(gate._queue) == 1)
    later = threading.Thread(target=enter, args=("later", False))
    later.start()
    await eventually(lambda: len(gate._queue) == 2)
    assert admitted == []
    gate.leave(first)
    alone.join(5)
    later.join(5)
    assert admitted == ["alone", "later"]


@pytest.mark.parametrize(("held_alone", "limit"), [(False, SHARED_SECONDS), (True, ALONE_SECONDS)])
def test_a_hold_that_lasts_too_long_stands_in_nobodys_way(held_alone, limit):
    now = [0.0]
    gate = Gate(clock=lambda: now[0])
    gate.enter(alone=held_alone)
    entered = threading.Event()

    def enter() -> None:
        gate.enter(alone=True)
        entered.set()

    threading.Thread(target=enter, daemon=True).start()
    assert not entered.wait(0.3)
    now[0] = limit
    assert entered.wait(2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("websocket not connected", Meaning.NOT_CONNECTED),
        ("failed to send message node: websocket not connected", Meaning.NOT_CONNECTED),
        ("failed to get device list: failed to send usync query: info query timed out", Meaning.NOT_SENT),
        ("no LID found for 15551112222@s.whatsapp.net from server", Meaning.NOT_ON_WHATSAPP),
        ("server returned error 463", Meaning.REFUSED),
        ("timed out waiting for message send response", Meaning.UNKNOWN),
        ("failed to send message node: write tcp: broken pipe", Meaning.UNKNOWN),
        ("something that nobody has seen yet", Meaning.UNKNOWN),
    ],
)
def test_only_what_certainly_did_not_leave_may_be_sent_again(text, expected):
    assert meaning(text) is expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Failed to save session: pq: terminating connection due to administrator command", True),
        ("failed to prefetch: driver: bad connection", True),
        ("dial tcp 127.0.0.1:5433: connect: connection refused", True),
        ("failed to dial whatsapp web websocket: dial tcp 127.0.0.1:443: connect: connection refused", False),
        ("pq: terminating connection due to idle-session timeout", False),
        ('Failed to get prekeys to upload: pq: duplicate key value violates unique constraint "whatsmeow_pre_keys_pkey"', False),
        ("Failed to decrypt message from 1555: no session", False),
    ],
)
def test_an_error_of_the_store_is_known_among_the_others(line, expected):
    assert StoreWatch(5433).is_store_error(line) is expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Error decrypting message 3A5E from 77@lid: failed to load session: dial tcp 127.0.0.1:5433: connect: connection refused", "3A5E"),
        ("Error decrypting message 3A5E from 77@lid in 1-2@g.us: failed to store session: pq: the database system is starting up", "3A5E"),
        ("Error decrypting message 3A5E from 77@lid: failed to load session: EOF", "3A5E"),
        ("Error decrypting message 3A5E from 77@lid: failed to load session: read tcp [::1]:41:5433: connection reset by peer", "3A5E"),
        ("Error decrypting message 3A5E from 77@lid: no sender key for 12@lid in EOF@g.us", None),
        ("Failed to save session: pq: terminating connection due to administrator command", None),
    ],
)
def test_a_message_that_could_not_be_read_without_the_database_is_known_by_its_line(line, expected):
    assert StoreWatch(5433).unread(line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "Ignoring message 3A5E from 5215@s.whatsapp.net: received message with old counter: 3",
            ("3A5E", "5215@s.whatsapp.net", "5215@s.whatsapp.net"),
        ),
        (
            "Ignoring message 3A5E from 5215:4@s.whatsapp.net in 5215@s.whatsapp.net: old counter",
            ("3A5E", "5215@s.whatsapp.net", "5215:4@s.whatsapp.net"),
        ),
        ("Ignoring message 3A5E from 77@lid: event was already processed", None),
        ("Error decrypting message 3A5E from 77@lid: old counter", None),
    ],
)
def test_a_message_that_was_decrypted_before_is_known_by_its_line(line, expected):
    assert ignored_message(line) == expected


_ASKED = "Failed to handle retry receipt for 5215@s.whatsapp.net/3EB0A1 from 5215:4@s.whatsapp.net: "


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (_ASKED + "couldn't find message 3EB0A1", ("3EB0A1", "5215@s.whatsapp.net", "5215:4@s.whatsapp.net")),
        (_ASKED + "failed to send retry message: websocket not connected", ("3EB0A1", "5215@s.whatsapp.net", "5215:4@s.whatsapp.net")),
        ("Failed to handle retry receipt for 77@lid/3EB0A1 from 77@lid: couldn't find message 3EB0A1", ("3EB0A1", "77@lid", "77@lid")),
        (
            "Failed to handle retry receipt for 1-2@g.us/3EB0A1 from 77:3@lid: couldn't find message 3EB0A1",
            ("3EB0A1", "1-2@g.us", "77:3@lid"),
        ),
        ("Dropping retry request from 3EB0A1 for 77:3@lid: internal retry counter is 10", ("3EB0A1", "77:3@lid", "77:3@lid")),
        ("Dropping retry request from 77:3@lid for 3EB0A1: internal retry counter is 10", ("3EB0A1", "77:3@lid", "77:3@lid")),
        (
            _ASKED + "failed to encrypt message for retry: pq: the database system is starting up",
            ("3EB0A1", "5215@s.whatsapp.net", "5215:4@s.whatsapp.net"),
        ),
        ("Failed to send retry receipt for 3EB0A1: websocket not connected", None),
        ("Not sending any more retry receipts for 3EB0A1", None),
        ("Ignoring message 3A5E from 77@lid: received message with old counter: 3", None),
    ],
)
def test_a_phone_that_asked_for_a_message_in_vain_is_known_by_the_line(line, expected):
    assert unanswered_phone(line) == expected


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_line_says_that_a_phone_asked_in_vain_or_nothing(begins, ends):
    for line in (
        begins + ends,
        f"Failed to handle retry receipt for {begins}/{ends} from {ends}: ",
        f"Dropping retry request from {begins} for {ends}: internal retry counter is 10",
    ):
        found = unanswered_phone(line)
        assert found is None or all("@" in part for part in found[1:])


def test_a_logged_line_names_no_number():
    assert "5551112222" not in redacted("no LID found for 15551112222@s.whatsapp.net")


def test_the_stores_address_asks_for_short_idle_connections_and_keeps_what_is_given():
    assert store_url("postgresql://u:p@h:5432/wa") == "postgres://u:p@h:5432/wa?sslmode=disable&options=-c%20idle_session_timeout%3D10000"
    given = store_url("postgresql://u:p@h/wa?sslmode=require&binary_parameters=yes")
    assert "sslmode=require" in given
    assert "binary_parameters=yes" in given
    through = store_url(pooled("postgresql://u:p@h:6432/wa"))  # whose start-up refuses what it does not know
    assert through == "postgres://u:p@h:6432/wa?binary_parameters=yes&sslmode=disable"
