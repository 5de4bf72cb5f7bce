"""Kinds of error, each with its HTTP status. A service subclasses one in its ``domain`` with a permanent ``code``.

The class's docstring is the problem's title, the exception's text its detail. What is no ``Problem`` is a bug: the edge
answers 500 with an incident id and no detail.

    Problem
    ├── Malformed 400        ├── Conflict 409      ├── RateLimited 429
    ├── Unauthenticated 401  ├── Gone 410          └── Unavailable 503
    ├── Forbidden 403        ├── TooLarge 413
    ├── NotFound 404         └── Invalid 422
"""

from collections.abc import Mapping
from typing import ClassVar


class Problem(Exception):
    """Something went wrong."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"

    def __init__(self, detail: str = "", *, headers: Mapping[str, str] | None = None, **members: object) -> None:
        """Keep *detail* for the person and *members* (JSON values, such as ``errors`` or ``retry_after``) for the program."""
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = members

    @classmethod
    def title(cls) -> str:
        """Give the first line of the class's docstring."""
        return (cls.__doc__ or "").strip().splitlines()[0]


class Malformed(Problem):
    """The request cannot be read."""

    status = 400
    code = "malformed"


class Unauthenticated(Problem):
    """Nobody is signed in."""

    status = 401
    code = "unauthenticated"


class Forbidden(Problem):
    """This is not allowed."""

    status = 403
    code = "forbidden"


class NotFound(Problem):
    """Nothing is here."""

    status = 404
    code = "not-found"


class Conflict(Problem):
    """The present state does not allow this."""

    status = 409
    code = "conflict"


class Gone(Problem):
    """This was here and is no more."""

    status = 410
    code = "gone"


class TooLarge(Problem):
    """The body is too large."""

    status = 413
    code = "too-large"


class Invalid(Problem):
    """Something in the request is not valid."""

    status = 422
    code = "invalid"


class RateLimited(Problem):
    """Too many requests."""

    status = 429
    code = "rate-limited"


class Unavailable(Problem):
    """Something that is needed is away; try again."""

    status = 503
    code = "unavailable"
