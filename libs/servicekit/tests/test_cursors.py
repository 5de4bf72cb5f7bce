import base64
from datetime import UTC, datetime
from uuid import UUID

import pytest
from contracts import ids
from hypothesis import given
from hypothesis import strategies as st
from servicekit.cursors import BadCursor, Cursors

TENANT, OTHER = ids.new(), ids.new()
CURSORS = Cursors("a secret of more than thirty-two characters")


def test_a_cursor_gives_its_key_back_with_its_types():
    key = (datetime(2026, 11, 21, 18, 0, 0, 123456, UTC), ids.new(), 7, "é")
    text = CURSORS.encode(TENANT, "chats", key)
    assert CURSORS.decode(TENANT, "chats", text, tuple[datetime, UUID, int, str]) == key
    assert text.isascii()
    assert not set(text) & set("+/= ")


def foreign():
    good = CURSORS.encode(TENANT, "chats?open", (1, "a"))
    data = base64.urlsafe_b64decode(good + "=" * (-len(good) % 4))
    flipped = base64.urlsafe_b64encode(data[:10] + bytes([data[10] ^ 1]) + data[11:]).decode()
    return {
        "another tenant's": CURSORS.encode(OTHER, "chats?open", (1, "a")),
        "another filter's": CURSORS.encode(TENANT, "chats?closed", (1, "a")),
        "another installation's": Cursors("another secret of thirty-two characters").encode(TENANT, "chats?open", (1, "a")),
        "with other types": CURSORS.encode(TENANT, "chats?open", ("a", 1)),
        "with one bit changed": flipped,
        "cut off": good[:-4],
        "empty": "",
        "no base64": "*****",
        "no ASCII": "é" * 40,
        "with a stranger's end": good + "AAAA",
    }


@pytest.mark.parametrize("which", foreign())
def test_a_cursor_that_does_not_belong_here_is_refused(which):
    with pytest.raises(BadCursor) as refused:
        CURSORS.decode(TENANT, "chats?open", foreign()[which], tuple[int, str])
    assert (refused.value.code, refused.value.status) == ("bad-cursor", 422)


@given(st.text(max_size=200))
def test_no_text_makes_it_fail_in_another_way(text):
    with pytest.raises(BadCursor):
        CURSORS.decode(TENANT, "chats", text, tuple[int])
