"""Which accounts are suspended: nobody is called for them until they are not."""

from alembic import op
from servicekit.migrations import tables

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("create table accounts (tenant uuid primary key, suspended boolean not null, revision bigint not null)")
    tables.tenant_named(op, "accounts")


def downgrade() -> None:
    raise NotImplementedError("Going back means restoring a backup.")
