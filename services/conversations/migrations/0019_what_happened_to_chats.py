"""What happened to a chat stands between its messages, for as long as they do."""

from alembic import op
from servicekit.migrations import tables

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("set local lock_timeout = '3s'")
    op.execute("""
        create table happenings (
            tenant uuid not null,
            id uuid not null,
            chat uuid not null,
            at timestamptz not null,
            kind text not null,
            assignee uuid,
            previous uuid,
            team uuid,
            tags uuid[] not null default '{}',
            until timestamptz,
            way text,
            actor uuid,
            by_key boolean not null default false,
            primary key (tenant, id)
        )
    """)
    op.execute("create index happenings_chat on happenings (tenant, chat, at desc, id desc)")
    op.execute("create index happenings_at on happenings (tenant, at)")
    tables.tenant_named(op, "happenings")


def downgrade() -> None:
    raise NotImplementedError("Going back means restoring a backup.")
