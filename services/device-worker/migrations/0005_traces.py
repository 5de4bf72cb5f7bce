"""In which trace an order was given, where traces are collected."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("set local lock_timeout = '3s'")
    op.execute("alter table sends add column trace text")


def downgrade() -> None:
    raise NotImplementedError("Going back means restoring a backup.")
