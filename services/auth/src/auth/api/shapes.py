"""Bodies of requests and answers."""

from datetime import datetime
from typing import Annotated, Literal

from contracts.edge import PublicAccountId, PublicUserId
from contracts.principal import Role
from pydantic import AfterValidator, BaseModel, Field
from servicekit.http import Body

from auth import domain

Email = Annotated[str, AfterValidator(domain.email), Field(examples=["ana@example.com"])]
Name = Annotated[str, AfterValidator(domain.name), Field(examples=["Ana Gómez"])]
Secret = Annotated[str, AfterValidator(domain.written)]
Client = Annotated[
    Literal["token", "cookie"], Field(description="token: the tokens come in the body; cookie: as httpOnly cookies, for a browser")
]


class Register(Body):
    """An account to open and its first user, who owns it."""

    email: Email
    password: Annotated[Secret, Field(repr=False, json_schema_extra={"format": "password"})]
    name: Name
    account: Name
    time_zone: Annotated[str, AfterValidator(domain.time_zone)] = "UTC"
    locale: Literal["es", "pt", "en"] = "es"
    currency: Annotated[str, AfterValidator(domain.currency)] = "USD"
    session: Client = "token"
    invitation: Annotated[Secret | None, Field(repr=False, max_length=200)] = None


class Login(Body):
    """Who signs in."""

    email: Email
    password: Annotated[Secret, Field(repr=False, json_schema_extra={"format": "password"})]
    session: Client = "token"


class Refresh(Body):
    """A refresh token; left out where it comes as a cookie."""

    refresh_token: Annotated[Secret | None, Field(repr=False, max_length=500)] = None


class UserOut(BaseModel):
    """A person of an account."""

    id: PublicUserId
    email: str
    name: str
    role: Role
    account_id: PublicAccountId
    active: bool
    created_at: datetime

    @classmethod
    def of(cls, user: domain.User) -> "UserOut":
        """Show *user*."""
        return cls(
            id=user.id,
            email=user.email,
            name=user.name,
            role=user.role,
            account_id=user.tenant,
            active=user.active,
            created_at=user.created_at,
        )


class AccountOut(BaseModel):
    """An account."""

    id: PublicAccountId
    name: str
    time_zone: str
    locale: str
    currency: str

    @classmethod
    def of(cls, account: domain.Account) -> "AccountOut":
        """Show *account*."""
        return cls(id=account.id, name=account.name, time_zone=account.time_zone, locale=account.locale, currency=account.currency)


class SignedIn(BaseModel):
    """Somebody is signed in; the tokens are left out where they went as cookies."""

    access_token: str | None = None
    refresh_token: str | None = None
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - no secret
    expires_in: Annotated[int, Field(description="seconds that the access token is good for")]
    user: UserOut
    account: AccountOut


class Me(BaseModel):
    """Who calls."""

    user: UserOut
    account: AccountOut
    role: Role
    installation: Annotated[bool, Field(description="true for the owner of the installation")]


class NewUser(Body):
    """A person to let in; without a password they cannot sign in yet."""

    email: Email
    name: Name
    role: Role = Role.AGENT
    password: Annotated[Secret | None, Field(repr=False, json_schema_extra={"format": "password"})] = None


class UserChange(Body):
    """What is to be different; what is left out stays."""

    role: Role | None = None
    active: bool | None = None
    name: Name | None = None
    password: Annotated[Secret | None, Field(repr=False, json_schema_extra={"format": "password"})] = None


class PasswordChange(Body):
    """The caller's present password and the next one."""

    current: Annotated[Secret, Field(repr=False, json_schema_extra={"format": "password"})]
    password: Annotated[Secret, Field(repr=False, json_schema_extra={"format": "password"})]


class SessionOut(BaseModel):
    """One sign-in that is still good."""

    id: Annotated[str, Field(examples=["ses_01JD3V6Q5J8R2Y0T4W7X9Z1B3C"])]
    client: str
    created_at: datetime
    used_at: datetime
    address: str | None
    agent: str | None
    current: Annotated[bool, Field(description="the one that this request came with")]


class Ticket(BaseModel):
    """Opens one socket, once: ``GET /ws?ticket=``."""

    ticket: str
    expires_in: Annotated[int, Field(description="seconds")]


class Jwks(BaseModel):
    """The public halves of the keys that access tokens are signed with (RFC 7517)."""

    keys: list[dict[str, str]]
