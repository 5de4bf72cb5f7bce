"""Binary XML: what is written can be read, with tokens and without; what is cut or wild is refused and nothing else."""

import zlib
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sim.codec import Codec
from sim.nodes import JID, LID, PN, BadStanza, Node
from sim.tokens import Tokens

from sim import tokens

CODEC = Codec(tokens.load())
PLAIN = Codec(Tokens())

words = st.sampled_from(["iq", "id", "type", "message", "s.whatsapp.net", "read-self", "active", "profile_picture"]) | st.text(min_size=1)
users = st.text("0123456789", min_size=1, max_size=15)
addresses = st.builds(JID, users, st.sampled_from([PN, LID]), st.integers(0, 255)) | st.builds(JID, users, st.just("g.us"))
nodes = st.recursive(
    st.builds(Node, words, st.dictionaries(words, words | addresses, max_size=5), st.none() | st.binary(max_size=400)),
    lambda inner: st.builds(Node, words, st.dictionaries(words, words, max_size=3), st.lists(inner, min_size=1, max_size=4)),
    max_leaves=12,
)


@given(nodes)
@settings(max_examples=150, deadline=None)
def test_every_node_comes_back_as_it_was(node):
    assert CODEC.decode(CODEC.encode(node)) == node
    assert PLAIN.decode(PLAIN.encode(node)) == node


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_wild_bytes_are_refused_and_nothing_else(data):
    with suppress(BadStanza):
        CODEC.decode(data)


@given(nodes, st.data())
@settings(max_examples=100, deadline=None)
def test_a_cut_stanza_is_refused(node, data):
    whole = CODEC.encode(node)
    with pytest.raises(BadStanza):
        CODEC.decode(whole[: data.draw(st.integers(1, len(whole) - 1))])


@pytest.mark.parametrize("size", [0, 255, 256, (1 << 20) - 1, 1 << 20])
def test_contents_of_every_length_come_back(size):
    assert CODEC.decode(CODEC.encode(Node("enc", {}, bytes(size)))).data == bytes(size)


def test_packed_numbers_and_compressed_stanzas_are_read():
    packed = b"\xf8\x03\xfc\x01a\xfc\x01b" + bytes([255, 128 | 2, 0x12, 0x3F])
    assert CODEC.decode(b"\0" + packed) == Node("a", {"b": "123"})
    assert CODEC.decode(b"\2" + zlib.compress(packed)) == Node("a", {"b": "123"})


def test_the_tables_are_whole_and_a_changed_library_is_noticed():
    found = tokens.load()
    assert (len(found.single), [len(table) for table in found.double]) == (236, [256] * 4)
    with pytest.raises(tokens.TokensMissing):
        tokens.extract(tokens.shared_object().read_bytes().replace(b"xmlstreamstart", b"xmlstreamsturt"))
