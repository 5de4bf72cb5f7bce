"""Signal between two virtual phones: any order, repeats, broken messages, sessions begun from both ends, and storage in between."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sim.ratchet import AlreadyRead, Bundle, Undecryptable
from sim.signal import Record, Secrets, Signal


class Peer:
    """A phone whose records go through storage at every change, so that nothing lives in memory alone."""

    def __init__(self):
        self.secrets, self.stored, self.next = Secrets.fresh(), {}, 0
        self.wake()

    def wake(self):
        """The phone has only what was stored."""
        self.signal = Signal(self.secrets, self._load, self._changed)

    def _load(self, address):
        return msgspec.msgpack.decode(self.stored[address], type=Record) if address in self.stored else None

    def _changed(self, address):
        self.stored[address] = msgspec.msgpack.encode(self.signal.record(address))

    def bundle(self):
        self.next += 1
        signal = self.signal
        return Bundle(signal.registration, signal.identity.public, 1, signal.signed.public, self.next, signal.one_time(self.next).public)


def pair():
    return Peer(), Peer()


def write(sender, receiver, text):
    return sender.signal.encrypt("other", receiver.bundle, text.encode())


def read(receiver, sealed):
    return receiver.signal.decrypt("other", *sealed).decode()


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 8), st.randoms()), min_size=1, max_size=12), st.booleans())
@settings(max_examples=40, deadline=None)
def test_turns_of_any_length_are_read_in_any_order(turns, forgetful):
    ana, shop = pair()
    number = 0
    for from_ana, count, chance in turns:
        sender, receiver = (ana, shop) if from_ana else (shop, ana)
        messages = []
        for _ in range(count):
            number += 1
            messages.append((str(number), write(sender, receiver, str(number))))
        chance.shuffle(messages)
        for text, sealed in messages:
            if forgetful:
                receiver.wake()
            assert read(receiver, sealed) == text


def test_both_may_begin_at_once():
    ana, shop = pair()
    one, two = write(ana, shop, "uno"), write(shop, ana, "dos")
    assert (read(shop, one), read(ana, two)) == ("uno", "dos")
    for n in range(4):
        assert read(shop, write(ana, shop, f"a{n}")) == f"a{n}"
        assert read(ana, write(shop, ana, f"b{n}")) == f"b{n}"


def test_a_repeat_is_known_as_such_and_a_broken_message_moves_nothing_on():
    ana, shop = pair()
    kind, sealed = write(ana, shop, "hola")
    read(shop, (kind, sealed))
    with pytest.raises(AlreadyRead):
        read(shop, (kind, sealed))
    read(ana, write(shop, ana, "sí"))
    kind, sealed = write(ana, shop, "otra")
    before = dict(shop.stored)
    for wrong in (sealed[:-1] + bytes([sealed[-1] ^ 1]), sealed[:20], b"", b"\x33" + bytes(60)):
        with pytest.raises(Undecryptable):
            read(shop, (kind, wrong))
    assert shop.stored == before
    assert read(shop, (kind, sealed)) == "otra"


def test_a_renewed_session_reads_what_the_old_one_still_had_on_its_way():
    ana, shop = pair()
    read(shop, write(ana, shop, "hola"))
    read(ana, write(shop, ana, "buenas"))
    late = write(shop, ana, "tarde")
    ana.signal.renew("other", shop.bundle)
    fresh = write(ana, shop, "de nuevo")
    assert fresh[0] == "pkmsg"
    assert read(ana, late) == "tarde"
    assert read(shop, fresh) == "de nuevo"
    assert read(ana, write(shop, ana, "bien")) == "bien"


def test_forty_broken_messages_begin_one_session_and_not_forty():
    ana, shop = pair()
    read(shop, write(ana, shop, "hola"))
    read(ana, write(shop, ana, "buenas"))
    for _ in range(40):
        ana.signal.renew("other", shop.bundle)
    assert shop.next == 2
    ana.signal.renew("other", shop.bundle, force=True)
    assert shop.next == 3


def test_a_message_without_a_session_cannot_be_read():
    ana, shop = pair()
    read(shop, write(ana, shop, "hola"))
    reply = write(shop, ana, "buenas")
    with pytest.raises(Undecryptable):
        read(Peer(), reply)
