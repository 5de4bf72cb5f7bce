"""By which ids events may still speak of somebody who was erased: what speaks of them does not come back into the log."""

from alembic import op
from servicekit.migrations import tables

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        'create table erased (tenant uuid not null, name text collate "C" not null, at timestamptz not null, primary key (tenant, name))'
    )
    op.execute("create index erased_at on erased (at)")
    tables.tenant_named(op, "erased")
    tables.system_access(op, "erased", "select, delete")


def downgrade() -> None:
    raise NotImplementedError("Going back means restoring a backup.")
