"""A message's author may be an API key."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("set local lock_timeout = '3s'")
    op.execute("alter table messages add column by_key boolean not null default false")


def downgrade() -> None:
    raise NotImplementedError("Going back means restoring a backup.")
