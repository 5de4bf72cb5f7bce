"""What the orders of others have done already."""

from alembic import op
from servicekit.migrations import tables

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("set local lock_timeout = '3s'")
    tables.inbox(op)


def downgrade() -> None:
    raise NotImplementedError("Going back means restoring a backup.")
