"""An index for what was said in an hour, made while the table is in use."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("create index concurrently if not exists messages_times on messages (tenant, at)")


def downgrade() -> None:
    raise NotImplementedError("Going back means restoring a backup.")
