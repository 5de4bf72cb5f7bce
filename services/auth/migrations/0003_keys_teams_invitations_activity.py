"""API keys, limits of what people see, teams, invitations into an account, mail, limits of accounts, and who did what."""

import sqlalchemy as sa
from alembic import op
from servicekit.migrations import tables
from sqlalchemy.dialects import postgresql as pg

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("accounts", sa.Column("suspended_at", AT))
    op.add_column("accounts", sa.Column("limit_devices", sa.Integer))
    op.add_column("accounts", sa.Column("limit_agents", sa.Integer))
    op.add_column("accounts", sa.Column("limit_messages_per_day", sa.Integer))
    op.add_column("accounts", sa.Column("revision", sa.Integer, nullable=False, server_default="0"))
    # The versions of API keys travel the same way as those of people.
    op.execute("alter table raised_versions drop constraint raised_versions_user")
    op.create_table(
        "api_keys",
        sa.Column("tenant", pg.UUID, sa.ForeignKey("accounts.tenant", ondelete="cascade"), primary_key=True),
        sa.Column("id", pg.UUID, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("prefix", sa.Text, nullable=False),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False),
        sa.Column("previous_hash", sa.LargeBinary),
        sa.Column("previous_until", AT),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("scopes", pg.ARRAY(sa.Text), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_by", pg.UUID, nullable=False),
        sa.Column("created_at", AT, nullable=False),
        sa.Column("expires_at", AT),
        sa.Column("revoked_at", AT),
        sa.Column("last_used_at", AT),
        sa.CheckConstraint("role in ('admin', 'agent')", name="api_keys_role"),
    )
    # over all tenants: whoever presents a key names no account
    op.create_index("api_keys_secret", "api_keys", ["secret_hash"], unique=True)
    op.create_index("api_keys_previous", "api_keys", ["previous_hash"], postgresql_where=sa.text("previous_hash is not null"))
    op.create_table(
        "teams",
        sa.Column("tenant", pg.UUID, sa.ForeignKey("accounts.tenant", ondelete="cascade"), primary_key=True),
        sa.Column("id", pg.UUID, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_at", AT, nullable=False),
        sa.UniqueConstraint("tenant", "name", name="teams_name_key"),
    )
    op.create_table(
        "team_members",
        sa.Column("tenant", pg.UUID, primary_key=True),
        sa.Column("team", pg.UUID, primary_key=True),
        sa.Column("user", pg.UUID, primary_key=True),
        sa.ForeignKeyConstraint(["tenant", "team"], ["teams.tenant", "teams.id"], ondelete="cascade", name="team_members_team"),
        sa.ForeignKeyConstraint(["tenant", "user"], ["users.tenant", "users.id"], ondelete="cascade", name="team_members_user"),
    )
    op.create_index("team_members_user", "team_members", ["tenant", "user"])
    # What somebody sees, and whether the bus has been told.
    op.create_table(
        "access",
        sa.Column("tenant", pg.UUID, sa.ForeignKey("accounts.tenant", ondelete="cascade"), primary_key=True),
        sa.Column("id", pg.UUID, primary_key=True),
        sa.Column("devices", pg.ARRAY(pg.UUID)),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("told", sa.Integer, nullable=False),
    )
    op.create_index("access_untold", "access", ["tenant", "id"], postgresql_where=sa.text("told < revision"))
    op.create_index("access_by_id", "access", ["id"], unique=True)
    op.create_table(
        "account_invitations",
        sa.Column("tenant", pg.UUID, sa.ForeignKey("accounts.tenant", ondelete="cascade"), primary_key=True),
        sa.Column("id", pg.UUID, primary_key=True),
        sa.Column("code_hash", sa.LargeBinary, nullable=False),
        sa.Column("email", sa.Text),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("teams", pg.ARRAY(pg.UUID), nullable=False),
        sa.Column("devices", pg.ARRAY(pg.UUID)),
        sa.Column("created_by", pg.UUID, nullable=False),
        sa.Column("created_at", AT, nullable=False),
        sa.Column("expires_at", AT, nullable=False),
        sa.Column("used_at", AT),
        sa.Column("used_by", pg.UUID),
        sa.Column("revoked_at", AT),
        sa.CheckConstraint("role in ('owner', 'admin', 'agent')", name="account_invitations_role"),
    )
    op.create_index("account_invitations_code", "account_invitations", ["code_hash"], unique=True)
    op.create_table(
        "password_resets",
        sa.Column("tenant", pg.UUID, primary_key=True),
        sa.Column("hash", sa.LargeBinary, primary_key=True),
        sa.Column("user", pg.UUID, nullable=False),
        sa.Column("expires_at", AT, nullable=False),
        sa.Column("used_at", AT),
        sa.ForeignKeyConstraint(["tenant", "user"], ["users.tenant", "users.id"], ondelete="cascade", name="password_resets_user"),
    )
    op.create_index("password_resets_to_forget", "password_resets", ["expires_at"])
    op.create_table(
        "activity",
        sa.Column("tenant", pg.UUID, primary_key=True),
        sa.Column("id", pg.UUID, primary_key=True),
        sa.Column("at", AT, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("actor_kind", sa.Text),
        sa.Column("actor", pg.UUID),
        sa.Column("target", sa.Text),
        sa.Column("address", sa.Text),
    )
    op.create_index("activity_by_time", "activity", ["tenant", "at", "id"])
    op.create_index("activity_by_actor", "activity", ["tenant", "actor", "at", "id"])
    op.create_index("activity_to_forget", "activity", ["at"])
    for table in ("api_keys", "teams", "team_members", "access", "account_invitations", "password_resets", "activity"):
        tables.tenant_rls(op, table)
    # A line that was written stays as it is.
    op.execute("revoke update, delete, truncate on activity from auth")
    tables.system_access(op, "activity", "select, delete")
    tables.system_access(op, "api_keys", "select, update (last_used_at)")
    tables.system_access(op, "team_members", "select")
    tables.system_access(op, "access", "select, update (told)")
    tables.system_access(op, "account_invitations", "select")
    tables.system_access(op, "password_resets", "select, delete")
    # Mail that waits, sealed: whom it is for and what stands in it. It belongs to no account: whether there is one for an
    # address that asked for a new password is looked up when it is sent, so that asking takes as long for everybody.
    op.create_table(
        "mails",
        sa.Column("id", pg.UUID, primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("made_at", AT, nullable=False),
        sa.Column("next_at", AT, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
    )
    op.create_index("mails_due", "mails", ["next_at"])
    op.execute("alter table mails enable row level security")
    op.execute("alter table mails force row level security")
    op.execute("revoke all on mails from auth")
    op.execute("grant insert on mails to auth")
    op.execute("create policy installation on mails to auth using (true) with check (true)")
    tables.system_access(op, "mails", "select, update, delete")
    # Rotation: keys retire, and are sealed anew.
    op.execute("grant update (private, retired_at) on signing_keys to auth_system")


def downgrade() -> None:
    raise NotImplementedError("Restore a backup.")
