"""What an account may do, as auth says, and how many messages each wrote on which of its days."""

from alembic import op
from servicekit.migrations import tables

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("set local lock_timeout = '3s'")
    op.execute("""
        create table accounts (
            tenant uuid not null,
            time_zone text not null,
            suspended boolean not null default false,
            messages_per_day integer,
            revision bigint not null,
            primary key (tenant)
        )
    """)
    op.execute("""
        create table message_days (
            tenant uuid not null,
            day date not null,
            written bigint not null,
            primary key (tenant, day)
        )
    """)
    tables.tenant_named(op, "accounts", "message_days")


def downgrade() -> None:
    raise NotImplementedError("Going back means restoring a backup.")
