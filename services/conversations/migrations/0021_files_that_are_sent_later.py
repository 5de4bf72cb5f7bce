"""A scheduled message may carry a file, which waits with it."""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("set local lock_timeout = '3s'")
    op.execute("alter table scheduled add column media uuid")
    op.execute("alter table media add column scheduled uuid")


def downgrade() -> None:
    raise NotImplementedError("Going back means restoring a backup.")
