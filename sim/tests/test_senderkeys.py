"""Sender keys between the devices of a group: any order, whoever joins later, repeats, forgeries, and storage in between."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sim.ratchet import AlreadyRead, Undecryptable
from sim.senderkeys import OwnKey, TheirKey


def stored(key):
    return msgspec.msgpack.decode(msgspec.msgpack.encode(key), type=type(key))


@given(st.integers(1, 12), st.integers(0, 6), st.randoms(), st.booleans())
@settings(max_examples=30, deadline=None)
def test_what_is_sealed_after_the_key_was_given_is_opened_in_any_order(count, before, chance, forgetful):
    own = OwnKey.fresh()
    for number in range(before):
        own.seal(str(number).encode())
    theirs = TheirKey.read(own.distribution())
    sealed = [(str(number).encode(), own.seal(str(number).encode())) for number in range(count)]
    chance.shuffle(sealed)
    for plain, message in sealed:
        theirs = stored(theirs) if forgetful else theirs
        own = stored(own)
        assert theirs.open(message) == plain
        with pytest.raises(AlreadyRead):
            theirs.open(message)


def test_what_was_sealed_before_is_not_for_who_came_later_and_no_forgery_is_for_anybody():
    own, other = OwnKey.fresh(), OwnKey.fresh()
    early = own.seal(b"antes")
    theirs = TheirKey.read(own.distribution())
    with pytest.raises(AlreadyRead):
        theirs.open(early)
    message = own.seal(b"hola")
    for forged in (message[:-1] + bytes([message[-1] ^ 1]), other.seal(b"hola"), b"", message[:20]):
        with pytest.raises(Undecryptable):
            theirs.open(forged)
    assert theirs.open(message) == b"hola", "a forgery has moved the chain on"
    with pytest.raises(Undecryptable):
        TheirKey.read(b"\x33\x01")
