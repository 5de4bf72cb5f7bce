"""Bodies of requests and answers."""

from datetime import datetime
from typing import Annotated, Literal

from contracts.edge import PublicAccountId, PublicDeviceId, PublicInvitationId, PublicKeyId, PublicTeamId, PublicUserId
from contracts.events.auth import Limits
from contracts.principal import Access, Reach, Role, Scope
from pydantic import AfterValidator, AwareDatetime, BaseModel, Field
from servicekit.http import Body

from auth import domain
from auth.domain.activity import Doer

Email = Annotated[str, AfterValidator(domain.email), Field(examples=["ana@example.com"])]
Name = Annotated[str, AfterValidator(domain.name), Field(examples=["Ana Gómez"])]
Secret = Annotated[str, AfterValidator(domain.written)]
Client = Annotated[
    Literal["token", "cookie"], Field(description="token: the tokens come in the body; cookie: as httpOnly cookies, for a browser")
]


Devices = Annotated[list[PublicDeviceId] | None, Field(max_length=1000, description="the numbers that are seen; null: all of them")]
Chats = Annotated[
    Reach,
    Field(description="which chats of those numbers are seen: all, those in the queue of one's teams and those one answers, or one's own"),
]
Teams = Annotated[list[PublicTeamId], Field(max_length=100)]


class Register(Body):
    """An account to open and its first user, who owns it; or, with the code of an invitation into an account, one more user."""

    email: Email
    password: Annotated[Secret, Field(repr=False, json_schema_extra={"format": "password"})]
    name: Name
    account: Annotated[Name | None, Field(description="the name of the account to open; left out by who is invited into one")] = None
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
    devices: Devices = None
    chats: Chats = "all"
    teams: Teams = Field(default_factory=list)

    @classmethod
    def of(cls, user: domain.User, access: Access) -> "UserOut":
        """Show *user* with what they see."""
        return cls(
            id=user.id,
            email=user.email,
            name=user.name,
            role=user.role,
            account_id=user.tenant,
            active=user.active,
            created_at=user.created_at,
            devices=None if access.devices is None else sorted(access.devices),
            chats=access.chats,
            teams=sorted(access.teams),
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
    devices: Devices = None
    chats: Chats = "all"
    teams: Teams = Field(default_factory=list)


class UserChange(Body):
    """What is to be different; what is left out stays."""

    role: Role | None = None
    active: bool | None = None
    name: Name | None = None
    password: Annotated[Secret | None, Field(repr=False, json_schema_extra={"format": "password"})] = None
    devices: Devices = None
    chats: Chats | None = None
    teams: Teams | None = None


class PasswordChange(Body):
    """The caller's present password and the next one."""

    current: Annotated[Secret, Field(repr=False, json_schema_extra={"format": "password"})]
    password: Annotated[Secret, Field(repr=False, json_schema_extra={"format": "password"})]


class PasswordForgotten(Body):
    """Whose password is forgotten."""

    email: Email


class PasswordReset(Body):
    """The token of the link that was mailed, and the next password."""

    token: Annotated[Secret, Field(repr=False, max_length=200)]
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


KeyRole = Annotated[Literal["admin", "agent"], Field(description="what the role of a person would be; no key is an owner")]
Scopes = Annotated[list[Scope], Field(min_length=1, max_length=4, description="read, send, control numbers, change settings")]


class NewKey(Body):
    """An API key to make."""

    name: Name
    scopes: Scopes
    role: KeyRole = "agent"
    devices: Devices = None
    expires_at: AwareDatetime | None = None


class KeyChange(Body):
    """What is to be different; what is left out stays."""

    name: Name | None = None
    scopes: Scopes | None = None
    role: KeyRole | None = None
    devices: Devices = None


class KeyRotation(Body):
    """How long the present secret is still good."""

    overlap_seconds: Annotated[int, Field(ge=0, le=int(domain.OVERLAP_MAX.total_seconds()), description="at most seven days")] = 0


class KeyOut(BaseModel):
    """An API key."""

    id: PublicKeyId
    name: str
    prefix: Annotated[str, Field(description="what its secret begins with", examples=["clk_8fK2mQ0z"])]
    role: Role
    scopes: list[Scope]
    devices: Devices
    created_by: PublicUserId
    created_at: datetime
    expires_at: datetime | None
    last_used_at: Annotated[datetime | None, Field(description="exact to a minute")]
    previous_until: Annotated[datetime | None, Field(description="until when the secret before the last rotation is good")]

    @classmethod
    def of(cls, key: domain.ApiKey, access: Access) -> "KeyOut":
        """Show *key* with what it sees."""
        return cls(
            id=key.id,
            name=key.name,
            prefix=key.prefix,
            role=key.role,
            scopes=sorted(key.scopes),
            devices=None if access.devices is None else sorted(access.devices),
            created_by=key.created_by,
            created_at=key.created_at,
            expires_at=key.expires_at,
            last_used_at=key.last_used_at,
            previous_until=key.previous_until,
        )


class KeyShown(KeyOut):
    """An API key with its secret, which is shown this once."""

    secret: Annotated[str, Field(repr=False, description="send it as the header X-Api-Key")]


class NewTeam(Body):
    """A team to make."""

    name: Name
    members: list[PublicUserId] = Field(default_factory=list, max_length=1000)


class TeamChange(Body):
    """What is to be different; what is left out stays."""

    name: Name | None = None
    members: Annotated[list[PublicUserId] | None, Field(max_length=1000)] = None


class TeamOut(BaseModel):
    """People who work together."""

    id: PublicTeamId
    name: str
    members: list[PublicUserId]
    created_at: datetime

    @classmethod
    def of(cls, team: domain.Team) -> "TeamOut":
        """Show *team*."""
        return cls(id=team.id, name=team.name, members=list(team.members), created_at=team.created_at)


class NewInvitation(Body):
    """Whom to invite, and as what; without an e-mail address the link lets in whoever has it, once."""

    email: Email | None = None
    role: Role = Role.AGENT
    teams: Teams = Field(default_factory=list)
    devices: Devices = None
    chats: Chats = "all"
    days: Annotated[int, Field(ge=1, le=30, description="how long it is good")] = 7


class InvitationOut(BaseModel):
    """An open invitation into the account."""

    id: PublicInvitationId
    email: str | None
    role: Role
    teams: Teams
    devices: Devices
    chats: Chats
    created_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, invitation: domain.Invitation) -> "InvitationOut":
        """Show *invitation*."""
        return cls(
            id=invitation.id,
            email=invitation.email,
            role=invitation.role,
            teams=list(invitation.teams),
            devices=None if invitation.devices is None else list(invitation.devices),
            chats=invitation.chats,
            created_at=invitation.created_at,
            expires_at=invitation.expires_at,
        )


class InvitationPreview(BaseModel):
    """What who has the link is told before they join."""

    account: Annotated[str, Field(description="the name of the account that it leads into")]
    locale: str
    role: Role
    email: Annotated[str | None, Field(description="whom it lets in; null: whoever has the link")]
    state: Literal["open", "used", "revoked", "expired"]
    expires_at: datetime


class InvitationShown(InvitationOut):
    """An invitation with its link, which is shown this once."""

    url: Annotated[str, Field(repr=False, examples=["https://clarin.example.com/invite?code=…"])]
    mailed: Annotated[bool, Field(description="true where the link was given to the mail server as well")]


class LimitsOut(BaseModel):
    """How much an account may have; null: as much as it likes."""

    devices: int | None
    agents: Annotated[int | None, Field(description="active people of any role")]
    messages_per_day: int | None

    @classmethod
    def of(cls, limits: Limits) -> "LimitsOut":
        """Show *limits*."""
        return cls(devices=limits.devices, agents=limits.agents, messages_per_day=limits.messages_per_day)


class AccountProfile(AccountOut):
    """An account as its people see it."""

    created_at: datetime
    limits: LimitsOut
    agents: Annotated[int, Field(description="active people")]

    @classmethod
    def seen(cls, account: domain.Account, agents: int) -> "AccountProfile":
        """Show *account*."""
        shown = AccountOut.of(account).model_dump()
        return cls(**shown, created_at=account.created_at, limits=LimitsOut.of(account.limits), agents=agents)


class AccountChange(Body):
    """What is to be different; what is left out stays."""

    name: Name | None = None
    time_zone: Annotated[str, AfterValidator(domain.time_zone)] | None = None
    locale: Literal["es", "pt", "en"] | None = None
    currency: Annotated[str, AfterValidator(domain.currency)] | None = None


class AccountStanding(AccountProfile):
    """An account as the installation's owner sees it."""

    suspended: bool
    suspended_at: datetime | None

    @classmethod
    def judged(cls, account: domain.Account, agents: int) -> "AccountStanding":
        """Show *account*."""
        shown = AccountProfile.seen(account, agents).model_dump()
        return cls(**shown, suspended=account.suspended_at is not None, suspended_at=account.suspended_at)


_Most = Annotated[int | None, Field(ge=0, le=1_000_000_000)]


class LimitsChange(Body):
    """Limits to set; null takes one away, what is left out stays."""

    devices: _Most = None
    agents: _Most = None
    messages_per_day: _Most = None


class StandingChange(Body):
    """What the installation's owner decides; what is left out stays."""

    suspended: bool | None = None
    limits: LimitsChange | None = None


class ActorOut(BaseModel):
    """Who did it: a person or an API key, with the name that they have now, or a part of Clarin that follows rules."""

    kind: Doer
    id: Annotated[str | None, Field(examples=["usr_01JD3V6Q5J8R2Y0T4W7X9Z1B3C"], description="of a person or a key")]
    name: str | None


class DeedOut(BaseModel):
    """Something that was done, or happened, in the account."""

    id: str
    at: datetime
    actor: Annotated[ActorOut | None, Field(description="null where nobody who was signed in did it")]
    kind: Annotated[str, Field(examples=["user.created"])]
    target: Annotated[str | None, Field(description="the id of what it was done to")]
    gone: Annotated[bool, Field(description="what it was done to has been deleted, or erased, since then or by this")] = False
    address: Annotated[str | None, Field(description="the IP address that it came from")]
