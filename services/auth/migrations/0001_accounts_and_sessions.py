"""Accounts, users, sessions, refresh tokens, signing keys, and what stands around them."""

import sqlalchemy as sa
from alembic import op
from servicekit.migrations import tables
from sqlalchemy.dialects import postgresql as pg

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("tenant", pg.UUID, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("time_zone", sa.Text, nullable=False),
        sa.Column("locale", sa.Text, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("created_at", AT, nullable=False),
    )
    op.create_table(
        "users",
        sa.Column("tenant", pg.UUID, sa.ForeignKey("accounts.tenant", ondelete="cascade"), primary_key=True),
        sa.Column("id", pg.UUID, primary_key=True),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("password_hash", sa.Text),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("installation", sa.Boolean, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", AT, nullable=False),
        sa.CheckConstraint("role in ('owner', 'admin', 'agent')", name="users_role"),
        sa.CheckConstraint("email = lower(email)", name="users_email_lower"),
        # over the whole installation: who signs in by e-mail names no account
        sa.UniqueConstraint("email", name="users_email_key"),
    )
    op.create_table(
        "sessions",
        sa.Column("tenant", pg.UUID, primary_key=True),
        sa.Column("id", pg.UUID, primary_key=True),
        sa.Column("user", pg.UUID, nullable=False),
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("created_at", AT, nullable=False),
        sa.Column("used_at", AT, nullable=False),
        sa.Column("expires_at", AT, nullable=False),
        sa.Column("address", sa.Text),
        sa.Column("agent", sa.Text),
        sa.Column("closed_at", AT),
        sa.Column("reason", sa.Text),
        sa.ForeignKeyConstraint(["tenant", "user"], ["users.tenant", "users.id"], ondelete="cascade", name="sessions_user"),
        sa.CheckConstraint("client in ('cookie', 'token')", name="sessions_client"),
    )
    op.create_index("sessions_of_user", "sessions", ["tenant", "user"], postgresql_where=sa.text("closed_at is null"))
    op.create_index("sessions_to_expire", "sessions", ["expires_at"], postgresql_where=sa.text("closed_at is null"))
    op.create_index("sessions_to_forget", "sessions", ["closed_at"], postgresql_where=sa.text("closed_at is not null"))
    op.create_table(
        "refresh_tokens",
        sa.Column("tenant", pg.UUID, primary_key=True),
        sa.Column("hash", sa.LargeBinary, primary_key=True),
        sa.Column("session", pg.UUID, nullable=False),
        sa.Column("expires_at", AT, nullable=False),
        sa.Column("used_at", AT),
        sa.Column("successor", sa.LargeBinary),
        sa.ForeignKeyConstraint(
            ["tenant", "session"], ["sessions.tenant", "sessions.id"], ondelete="cascade", name="refresh_tokens_session"
        ),
    )
    op.create_index("refresh_tokens_of_session", "refresh_tokens", ["tenant", "session"])
    op.create_index("refresh_tokens_to_forget", "refresh_tokens", ["expires_at"])
    # A raised token version on its way to the bus.
    op.create_table(
        "raised_versions",
        sa.Column("tenant", pg.UUID, primary_key=True),
        sa.Column("user", pg.UUID, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("at", AT, nullable=False),
        sa.ForeignKeyConstraint(["tenant", "user"], ["users.tenant", "users.id"], ondelete="cascade", name="raised_versions_user"),
    )
    for table in ("accounts", "users", "sessions", "refresh_tokens", "raised_versions"):
        tables.tenant_rls(op, table)
    tables.outbox(op)
    tables.idempotency(op)

    # These belong to the installation, not to an account.
    op.create_table(
        "login_attempts",
        sa.Column("email_hash", sa.LargeBinary, primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("at", AT, nullable=False),
        sa.Column("held_until", AT, nullable=False),
    )
    op.create_index("login_attempts_to_forget", "login_attempts", ["at"])
    op.create_table(
        "signing_keys",
        sa.Column("kid", sa.Text, primary_key=True),
        sa.Column("private", sa.LargeBinary, nullable=False),
        sa.Column("public", pg.JSONB, nullable=False),
        sa.Column("created_at", AT, nullable=False),
        sa.Column("retired_at", AT),
    )
    op.create_table(
        "invitations",
        sa.Column("code_hash", sa.LargeBinary, primary_key=True),
        sa.Column("created_at", AT, nullable=False),
        sa.Column("expires_at", AT, nullable=False),
        sa.Column("used_at", AT),
    )
    op.create_table(
        "installation",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("value", pg.JSONB, nullable=False),
        sa.Column("at", AT, nullable=False),
    )
    # Login by e-mail, the sweeps and the way to the bus know no tenant beforehand.
    tables.system_access(op, "users", "select")
    tables.system_access(op, "sessions", "select, delete")
    tables.system_access(op, "refresh_tokens", "select, delete")
    tables.system_access(op, "raised_versions", "select, delete")
    # No tenant stands in these: each is open to just the role and the verbs that need it; private keys to the system role alone.
    for table, service, system in (
        ("login_attempts", "select, delete", "select, insert, update, delete"),
        ("signing_keys", "", "select, insert"),
        ("invitations", "select, update", "insert"),
        ("installation", "select, insert", ""),
    ):
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"alter table {table} force row level security")
        op.execute(f"revoke all on {table} from auth")
        if service:
            op.execute(f"grant {service} on {table} to auth")
            op.execute(f"create policy installation on {table} to auth using (true) with check (true)")
        if system:
            tables.system_access(op, table, system)


def downgrade() -> None:
    raise NotImplementedError("Restore a backup.")
