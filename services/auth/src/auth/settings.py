"""What the auth service reads from its environment."""

from datetime import timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator
from servicekit.settings import Settings, WithBus, WithCursors, WithDatabase, WithHttp, WithRedis
from servicekit.vault import WithVault

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


class Sealing(WithVault, WithDatabase):
    """What the operator's commands about keys need."""


class WithMail(Settings):
    """A process that writes to people.

    Attributes:
        mail_dir: Where mail is kept instead of sent, on a developer's machine alone.
        public_url: Where the panel answers, as links name it.
    """

    smtp_url: str | None = Field(None, repr=False, description="a smtp:// or smtps:// address, with user and password where they are asked")
    smtp_authorities: Path | None = Field(
        None, description="a file with the certificates (PEM) that vouch for the mail server, where the system's own do not"
    )
    mail_from: str | None = Field(
        None, validate_default=True, description="the sender of mails, such as Clarin <clarin@example.com>; needed with CLARIN_SMTP_URL"
    )
    mail_dir: Path | None = Field(None, description="a folder that mails are written to, in development")
    public_url: str | None = Field(
        None, validate_default=True, description="the panel's address, such as https://clarin.example.com; needed with CLARIN_SMTP_URL"
    )

    @field_validator("smtp_url")
    @classmethod
    def _is_smtp(cls, value: str | None) -> str | None:
        if value is not None:
            parts = urlsplit(value)
            if parts.scheme not in ("smtp", "smtps") or not parts.hostname or (parts.port is not None and parts.port < 1):
                raise ValueError("no address of a mail server")
        return value

    @field_validator("mail_from", "public_url")
    @classmethod
    def _is_there(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and info.data.get("smtp_url") is not None:
            raise ValueError("missing")
        return value

    @field_validator("public_url")
    @classmethod
    def _is_http(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("no address")
        return None if value is None else value.rstrip("/")

    @property
    def mails(self) -> bool:
        """Tell whether anybody can be written to."""
        return self.smtp_url is not None or (self.mail_dir is not None and self.env == "development")

    @property
    def address(self) -> str:
        """Tell what links begin with; empty where nobody said it: then they begin at the panel's own root."""
        return self.public_url or ("http://127.0.0.1:8080" if self.env == "development" else "")

    @property
    def sender(self) -> str:
        """Tell who mails come from."""
        return self.mail_from or "Clarin <clarin@localhost>"


class AuthSettings(WithHttp, WithBus, WithRedis, WithCursors, WithMail, Sealing, Operator):
    """What the service needs.

    Attributes:
        registration: Left out: open in development; in production only for the first account.
    """

    registration: Literal["open", "invite", "closed"] | None = Field(None, description="open, invite or closed")
    access_minutes: int = Field(10, ge=1, le=10, description="a number from 1 to 10")
    refresh_days: int = Field(30, ge=1, le=365, description="a number from 1 to 365")

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
