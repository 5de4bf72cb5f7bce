import pytest
from contracts import routes


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/api/devices", "device-worker"),
        ("/api/devices/dev_1/qr", "device-worker"),
        ("/api/whatsapp/dev_1/connect", "device-worker"),
        ("/api/devicesx", None),
        ("/api", None),
        ("/", None),
        ("", None),
        ("/ws", "realtime"),
    ],
)
def test_the_longest_prefix_of_whole_segments_wins(path: str, service: str | None):
    assert routes.owner(path) == service


def test_whoever_answers_without_a_token_is_routed():
    assert all(routes.owner(path) for path in routes.ANONYMOUS)
    assert set(routes.PUBLIC) < set(routes.PREFIXES.values())
