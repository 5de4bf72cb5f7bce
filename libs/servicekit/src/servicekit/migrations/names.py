"""What a service's schema and roles are called."""

from typing import NamedTuple

#: Where extensions live: one copy a database, in every role's search path, writable by nobody.
EXTENSIONS = "extensions"

_TOKENS = {"device-worker": "devices"}


class Names(NamedTuple):
    """The schema of one service and its three roles."""

    schema: str
    owner: str
    service: str
    system: str


def names(service: str) -> Names:
    """Name the schema and the roles of *service*: its token on the bus, so that ``device-worker`` is ``devices``.

    Raises:
        ValueError: Not a name that can stand in SQL as it is.
    """
    token = _TOKENS.get(service, service.replace("-", "_"))
    if not token.isascii() or not token.isidentifier() or token != token.lower() or len(token) > 40:
        raise ValueError(f"{service!r} is no name of a service.")
    return Names(token, f"{token}_owner", token, f"{token}_system")
