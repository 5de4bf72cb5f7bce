"""Signatures as Standard Webhooks has them: by its own library, with every secret that is good at the time."""

import base64
import hashlib
import hmac
import os
from collections.abc import Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook

PREFIX = "whsec_"
_BYTES = 32


def secret() -> str:
    """Make a secret: ``whsec_`` and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(os.urandom(_BYTES)).decode()


def headers(secrets: Sequence[str], id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Give the three headers of a delivery; while a secret is being replaced both sign, the new one first."""
    text, at = body.decode(), at.astimezone(UTC)
    return {
        "webhook-id": id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(msg_id=id, timestamp=at, data=text) for secret in secrets),
    }


def waha_headers(secret: str, id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Give the headers by which receivers of WAHA check a delivery: an HMAC with the whole secret as its key."""
    return {
        "X-Webhook-Request-Id": id,
        "X-Webhook-Timestamp": str(int(at.timestamp() * 1000)),
        "X-Webhook-Hmac": hmac.new(secret.encode(), body, hashlib.sha512).hexdigest(),
        "X-Webhook-Hmac-Algorithm": "sha512",
    }
