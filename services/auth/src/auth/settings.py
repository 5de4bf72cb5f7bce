"""What the auth service reads from its environment."""

import base64
import binascii
from datetime import timedelta
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator
from servicekit.settings import WithBus, WithCursors, WithDatabase, WithHttp, WithRedis

from auth.domain import Registration

_PRODUCTION_COST = 10


class Operator(WithDatabase):
    """What the operator's commands (``admin create``, ``invite``) need."""

    bcrypt_cost: int = Field(12, ge=4, le=16, description="a number from 10 to 16 (outside production from 4)")

    @field_validator("bcrypt_cost")
    @classmethod
    def _safe_in_production(cls, value: int, info: ValidationInfo) -> int:
        if info.data.get("env") == "production" and value < _PRODUCTION_COST:
            raise ValueError("too cheap to guess")
        return value


class AuthSettings(WithHttp, WithBus, WithRedis, WithCursors, Operator):
    """What the service needs.

    Attributes:
        registration: Left out: open in development; in production only for the first account.
    """

    encryption_key: str = Field(
        repr=False, description="32 random bytes in base64, the same in every replica, kept as long as the database"
    )
    registration: Literal["open", "invite", "closed"] | None = Field(None, description="open, invite or closed")
    access_minutes: int = Field(10, ge=1, le=10, description="a number from 1 to 10")
    refresh_days: int = Field(30, ge=1, le=365, description="a number from 1 to 365")

    @field_validator("encryption_key")
    @classmethod
    def _is_32_bytes(cls, value: str) -> str:
        try:
            raw = base64.b64decode(value, altchars=b"-_" if "-" in value or "_" in value else None, validate=True)
        except binascii.Error:
            raise ValueError("not base64") from None
        if len(raw) != 32:
            raise ValueError("not 32 bytes")
        return base64.b64encode(raw).decode()

    @property
    def key(self) -> bytes:
        """Give the encryption key's bytes."""
        return base64.b64decode(self.encryption_key)

    @property
    def policy(self) -> Registration:
        """Tell who may register."""
        if self.registration is not None:
            return Registration(self.registration)
        return Registration.FIRST if self.env == "production" else Registration.OPEN

    @property
    def access_lifetime(self) -> timedelta:
        """Tell how long an access token is good; the bucket of raised versions remembers a little longer than the longest."""
        return timedelta(minutes=self.access_minutes)

    @property
    def refresh_lifetime(self) -> timedelta:
        """Tell how long a refresh token is good."""
        return timedelta(days=self.refresh_days)
