"""The tables, as the migrations made them."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, UUID

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
