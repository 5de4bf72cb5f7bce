"""Who is to be erased with the workers: the only table that says so, until it is done."""

from alembic import op
from servicekit.migrations import tables

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("set local lock_timeout = '3s'")
    op.execute("""
        create table erasures (
            tenant uuid not null,
            id uuid not null,
            addresses jsonb not null,
            made_at timestamptz not null default now(),
            primary key (tenant, id)
        )
    """)
    op.execute("create index erasures_made_at on erasures (made_at)")
    tables.tenant_rls(op, "erasures")
    tables.system_access(op, "erasures", "select, delete, update")


def downgrade() -> None:
    raise NotImplementedError("Going back means restoring a backup.")
