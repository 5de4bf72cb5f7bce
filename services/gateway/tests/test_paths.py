import pytest
from gateway.domain import BadTarget
from gateway.paths import normalise
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/", "/", b""),
        (b"/api/chats?limit=2&q=a%20b", "/api/chats", b"limit=2&q=a%20b"),
        (b"/%61pi/%63hats", "/api/chats", b""),
        (b"/api/chats/", "/api/chats/", b""),
        (b"/files/caf%c3%a9", "/files/caf%C3%A9", b""),
        (b"/a..b/.c/...", "/a..b/.c/...", b""),
        (b"/x?redirect=/../etc", "/x", b"redirect=/../etc"),
        (b"http://clarin.example/api/chats?a=1", "/api/chats", b"a=1"),
        (b"http://CLARIN.example", "/", b""),
    ],
)
def test_a_target_of_one_reading_is_read(target, path, query):
    assert normalise(target, b"clarin.example") == (path, query)


@pytest.mark.parametrize(
    "target",
    [
        b"//api/chats",
        b"/api//chats",
        b"/api/../chats",
        b"/api/./chats",
        b"/api/..",
        b"/api/%2e%2e/chats",
        b"/api/%2E./chats",
        b"/api/.%2e",
        b"/api\\chats",
        b"/api%5cchats",
        b"/api%2fchats",
        b"/api%2Fchats",
        b"/api/chats%00",
        b"/api/%0d%0aX:1",
        b"/api/%",
        b"/api/%zz",
        b"/api/%7f",
        b"/api/<script>",
        b'/api/"',
        b"/api#fragment",
        b"/api?a=b#fragment",
        b"*",
        b"api/chats",
        b"http://other.example/api",
        b"ftp://clarin.example/api",
        b"",
    ],
)
def test_a_target_of_two_readings_is_refused(target):
    with pytest.raises(BadTarget):
        normalise(target, b"clarin.example")


@given(st.binary(max_size=60).map(lambda tail: b"/" + tail))
def test_what_is_read_is_read_the_same_once_more_and_has_no_tricks(target):
    try:
        path, query = normalise(target, None)
    except BadTarget:
        return
    assert normalise(path.encode() + (b"?" + query if query else b""), None) == (path, query)
    assert "//" not in path
    assert "\\" not in path
    assert "%2F" not in path.upper()
    assert "%2E" not in path.upper()
    assert not {".", ".."} & set(path.split("/"))
