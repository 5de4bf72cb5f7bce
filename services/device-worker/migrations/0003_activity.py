"""When a number was in use last: in this order they connect."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("set local lock_timeout = '3s'")
    op.execute("alter table devices add column active_at timestamptz")


def downgrade() -> None:
    raise NotImplementedError("Going back means restoring a backup.")
