"""Secrets that are handed out: refresh tokens, websocket tickets, invitation codes, CSRF tokens. Only their hashes are kept. Pure.

A refresh token is ``rt_`` and base64url of the tenant's 16 bytes and 32 secret ones: it names its tenant, so that it is
looked up under row-level security like everything else.
"""

import base64
import hashlib
import hmac
import secrets
from uuid import UUID

from contracts.ids import TenantId

_REFRESH = "rt_"
_SECRET = 32


def refresh(tenant: TenantId) -> str:
    """Make the first refresh token of a session."""
    return _written(tenant, secrets.token_bytes(_SECRET))


def successor(token: str, key: bytes) -> str:
    """Make the token that *token* is exchanged for: always the same one, and nobody without *key* can tell which.

    So two exchanges of one token within the grace give one chain, though no secret is kept anywhere.
    """
    tenant, _ = read(token)
    return _written(tenant, hmac.digest(key, token.encode(), "sha256"))


def read(token: str) -> tuple[TenantId, bytes]:
    """Tell a refresh token's tenant and hash.  Raises: ValueError."""
    if not token.startswith(_REFRESH) or not token.isascii():
        raise ValueError("This is no refresh token.")
    raw = base64.b64decode(token.removeprefix(_REFRESH), altchars=b"-_", validate=True)
    if len(raw) != 16 + _SECRET:
        raise ValueError("A refresh token has another length.")
    return TenantId(UUID(bytes=raw[:16])), hashed(token)


def hashed(secret: str) -> bytes:
    """Hash a secret for keeping. It is random, so one round of SHA-256 is enough."""
    return hashlib.sha256(secret.encode()).digest()


def random() -> str:
    """Make a ticket, a CSRF token or an invitation code: 32 random bytes, base64url."""
    return secrets.token_urlsafe(_SECRET)


def same(one: str | None, other: str | None) -> bool:
    """Compare two secrets in constant time; a missing one equals nothing."""
    return bool(one and other) and hmac.compare_digest(str(one).encode(), str(other).encode())


def _written(tenant: TenantId, secret: bytes) -> str:
    # 48 bytes are 64 characters with no padding.
    return _REFRESH + base64.urlsafe_b64encode(tenant.bytes + secret).decode()
