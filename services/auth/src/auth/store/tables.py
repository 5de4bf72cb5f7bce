"""The tables, as the migrations made them."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

metadata = sa.MetaData()
_AT = sa.DateTime(timezone=True)

accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("tenant", UUID, primary_key=True),
    sa.Column("name", sa.Text),
    sa.Column("time_zone", sa.Text),
    sa.Column("locale", sa.Text),
    sa.Column("currency", sa.Text),
    sa.Column("created_at", _AT),
    sa.Column("suspended_at", _AT),
    sa.Column("limit_devices", sa.Integer),
    sa.Column("limit_agents", sa.Integer),
    sa.Column("limit_messages_per_day", sa.Integer),
    sa.Column("revision", sa.Integer),
)
users = sa.Table(
    "users",
    metadata,
    sa.Column("tenant", UUID, primary_key=True),
    sa.Column("id", UUID, primary_key=True),
    sa.Column("email", sa.Text),
    sa.Column("name", sa.Text),
    sa.Column("role", sa.Text),
    sa.Column("password_hash", sa.Text),
    sa.Column("active", sa.Boolean),
    sa.Column("installation", sa.Boolean),
    sa.Column("version", sa.Integer),
    sa.Column("created_at", _AT),
)
sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("tenant", UUID, primary_key=True),
    sa.Column("id", UUID, primary_key=True),
    sa.Column("user", UUID),
    sa.Column("client", sa.Text),
    sa.Column("created_at", _AT),
    sa.Column("used_at", _AT),
    sa.Column("expires_at", _AT),
    sa.Column("address", sa.Text),
    sa.Column("agent", sa.Text),
    sa.Column("closed_at", _AT),
    sa.Column("reason", sa.Text),
)
refresh_tokens = sa.Table(
    "refresh_tokens",
    metadata,
    sa.Column("tenant", UUID, primary_key=True),
    sa.Column("hash", sa.LargeBinary, primary_key=True),
    sa.Column("session", UUID),
    sa.Column("expires_at", _AT),
    sa.Column("used_at", _AT),
    sa.Column("successor", sa.LargeBinary),
)
raised_versions = sa.Table(
    "raised_versions",
    metadata,
    sa.Column("tenant", UUID, primary_key=True),
    sa.Column("user", UUID, primary_key=True),
    sa.Column("version", sa.Integer),
    sa.Column("at", _AT),
)
login_attempts = sa.Table(
    "login_attempts",
    metadata,
    sa.Column("email_hash", sa.LargeBinary, primary_key=True),
    sa.Column("failures", sa.Integer),
    sa.Column("at", _AT),
    sa.Column("held_until", _AT),
    sa.Column("told_until", _AT),
)
signing_keys = sa.Table(
    "signing_keys",
    metadata,
    sa.Column("kid", sa.Text, primary_key=True),
    sa.Column("private", sa.LargeBinary),
    sa.Column("public", JSONB),
    sa.Column("created_at", _AT),
    sa.Column("retired_at", _AT),
)
invitations = sa.Table(
    "invitations",
    metadata,
    sa.Column("code_hash", sa.LargeBinary, primary_key=True),
    sa.Column("created_at", _AT),
    sa.Column("expires_at", _AT),
    sa.Column("used_at", _AT),
)
installation = sa.Table(
    "installation",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", JSONB),
    sa.Column("at", _AT),
)
api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("tenant", UUID, primary_key=True),
    sa.Column("id", UUID, primary_key=True),
    sa.Column("name", sa.Text),
    sa.Column("prefix", sa.Text),
    sa.Column("secret_hash", sa.LargeBinary),
    sa.Column("previous_hash", sa.LargeBinary),
    sa.Column("previous_until", _AT),
    sa.Column("role", sa.Text),
    sa.Column("scopes", ARRAY(sa.Text)),
    sa.Column("version", sa.Integer),
    sa.Column("created_by", UUID),
    sa.Column("created_at", _AT),
    sa.Column("expires_at", _AT),
    sa.Column("revoked_at", _AT),
    sa.Column("last_used_at", _AT),
)
teams = sa.Table(
    "teams",
    metadata,
    sa.Column("tenant", UUID, primary_key=True),
    sa.Column("id", UUID, primary_key=True),
    sa.Column("name", sa.Text),
    sa.Column("created_at", _AT),
)
team_members = sa.Table(
    "team_members",
    metadata,
    sa.Column("tenant", UUID, primary_key=True),
    sa.Column("team", UUID, primary_key=True),
    sa.Column("user", UUID, primary_key=True),
)
access = sa.Table(
    "access",
    metadata,
    sa.Column("tenant", UUID, primary_key=True),
    sa.Column("id", UUID, primary_key=True),
    sa.Column("devices", ARRAY(UUID)),
    sa.Column("chats", sa.Text),
    sa.Column("revision", sa.Integer),
    sa.Column("told", sa.Integer),
)
account_invitations = sa.Table(
    "account_invitations",
    metadata,
    sa.Column("tenant", UUID, primary_key=True),
    sa.Column("id", UUID, primary_key=True),
    sa.Column("code_hash", sa.LargeBinary),
    sa.Column("email", sa.Text),
    sa.Column("role", sa.Text),
    sa.Column("teams", ARRAY(UUID)),
    sa.Column("devices", ARRAY(UUID)),
    sa.Column("chats", sa.Text),
    sa.Column("created_by", UUID),
    sa.Column("created_at", _AT),
    sa.Column("expires_at", _AT),
    sa.Column("used_at", _AT),
    sa.Column("used_by", UUID),
    sa.Column("revoked_at", _AT),
)
password_resets = sa.Table(
    "password_resets",
    metadata,
    sa.Column("tenant", UUID, primary_key=True),
    sa.Column("hash", sa.LargeBinary, primary_key=True),
    sa.Column("user", UUID),
    sa.Column("expires_at", _AT),
    sa.Column("used_at", _AT),
)
mails = sa.Table(
    "mails",
    metadata,
    sa.Column("id", UUID, primary_key=True),
    sa.Column("sealed", sa.LargeBinary),
    sa.Column("made_at", _AT),
    sa.Column("next_at", _AT),
    sa.Column("attempts", sa.Integer),
)
activity = sa.Table(
    "activity",
    metadata,
    sa.Column("tenant", UUID, primary_key=True),
    sa.Column("id", UUID, primary_key=True),
    sa.Column("at", _AT),
    sa.Column("kind", sa.Text),
    sa.Column("actor_kind", sa.Text),
    sa.Column("actor", UUID),
    sa.Column("target", sa.Text),
    sa.Column("address", sa.Text),
)
