"""A browser's session: two cookies that no script can read, and one that it must read to prove that it is ours."""

from fastapi import Request, Response

from auth import tokens
from auth.domain import CsrfMismatch

ACCESS = "clarin_access"
REFRESH = "clarin_refresh"
CSRF = "clarin_csrf"
CSRF_HEADER = "X-CSRF-Token"
#: The refresh token travels to these paths alone.
_REFRESH_PATH = "/api/auth"


def put(
    request: Request, response: Response, *, access: str, access_seconds: int, refresh: str, refresh_seconds: int, csrf: str | None = None
) -> None:
    """Set all three; without *csrf* with a new CSRF token, which another site cannot have planted before."""
    secure = _came_by_https(request)
    csrf = csrf or tokens.random()
    response.set_cookie(ACCESS, access, max_age=access_seconds, path="/", httponly=True, samesite="lax", secure=secure)
    response.set_cookie(REFRESH, refresh, max_age=refresh_seconds, path=_REFRESH_PATH, httponly=True, samesite="lax", secure=secure)
    response.set_cookie(CSRF, csrf, max_age=refresh_seconds, path="/", httponly=False, samesite="lax", secure=secure)


def drop(request: Request, response: Response) -> None:
    """Delete all three."""
    secure = _came_by_https(request)
    for cookie, path in ((ACCESS, "/"), (REFRESH, _REFRESH_PATH), (CSRF, "/")):
        response.delete_cookie(cookie, path=path, httponly=cookie != CSRF, samesite="lax", secure=secure)


def demand_csrf(request: Request) -> str:
    """Give the CSRF token of a request whose header repeats the cookie, which another site can send but not read.

    Raises:
        CsrfMismatch: It does not.
    """
    csrf = request.cookies.get(CSRF)
    if csrf is None or not tokens.same(request.headers.get(CSRF_HEADER), csrf):
        raise CsrfMismatch(f"Send the cookie {CSRF} as the header {CSRF_HEADER}.")
    return csrf


def _came_by_https(request: Request) -> bool:
    return request.headers.get("X-Forwarded-Proto", request.url.scheme) == "https"
