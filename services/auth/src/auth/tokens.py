"""Secrets that are handed out: refresh tokens, tickets, API keys, codes, CSRF tokens. Only their hashes are kept. Pure.

A refresh token is ``rt_`` and base64url of the tenant's 16 bytes and 32 secret ones: it names its tenant, so that it is
looked up under row-level security like everything else.
"""

import base64
import hashlib
import hmac
import re
import secrets
import string
from uuid import UUID

from contracts.ids import TenantId

_REFRESH = "rt_"
_RESET = "pr_"
_KEY = "clk_"
_ALPHABET = string.ascii_letters + string.digits
_LOOKS = re.compile(r"clk_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}")
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


def read(token: str, kind: str = _REFRESH) -> tuple[TenantId, bytes]:
    """Tell a refresh token's tenant and hash.  Raises: ValueError."""
    if not token.startswith(kind) or not token.isascii():
        raise ValueError("This is no such token.")
    raw = base64.b64decode(token.removeprefix(kind), altchars=b"-_", validate=True)
    if len(raw) != 16 + _SECRET:
        raise ValueError("Such a token has another length.")
    return TenantId(UUID(bytes=raw[:16])), hashed(token)


def reset(tenant: TenantId, key: bytes, mail: UUID) -> str:
    """Make the token of a link to a new password: always the same for one *mail*, so that a second try sends the same link."""
    return _written(tenant, hmac.digest(key, mail.bytes, "sha256"), _RESET)


def read_reset(token: str) -> tuple[TenantId, bytes]:
    """Tell such a token's tenant and hash.  Raises: ValueError."""
    return read(token, _RESET)


def api_key() -> tuple[str, str]:
    """Make an API key's secret, and give it with the prefix that people know it by."""
    prefix = "".join(secrets.choice(_ALPHABET) for _ in range(8))
    rest = "".join(secrets.choice(_ALPHABET) for _ in range(43))  # 256 bits
    return f"{_KEY}{prefix}_{rest}", f"{_KEY}{prefix}"


def is_api_key(text: str) -> bool:
    """Tell whether this has an API key's looks."""
    return _LOOKS.fullmatch(text) is not None


def hashed(secret: str) -> bytes:
    """Hash a secret for keeping. It is random, so one round of SHA-256 is enough."""
    return hashlib.sha256(secret.encode()).digest()


def random() -> str:
    """Make a ticket, a CSRF token or an invitation code: 32 random bytes, base64url."""
    return secrets.token_urlsafe(_SECRET)


def same(one: str | None, other: str | None) -> bool:
    """Compare two secrets in constant time; a missing one equals nothing."""
    return bool(one and other) and hmac.compare_digest(str(one).encode(), str(other).encode())


def _written(tenant: TenantId, secret: bytes, kind: str = _REFRESH) -> str:
    # 48 bytes are 64 characters with no padding.
    return kind + base64.urlsafe_b64encode(tenant.bytes + secret).decode()
