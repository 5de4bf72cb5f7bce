"""When a group was last given its name: an older one that arrives later is old news."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("alter table chats add column name_at timestamptz")


def downgrade() -> None:
    raise NotImplementedError("Going back means restoring a backup.")
