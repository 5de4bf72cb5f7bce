"""An index for the redirects of messages that go, made while the table is in use."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("create index concurrently if not exists message_redirects_new on message_redirects (tenant, new)")


def downgrade() -> None:
    raise NotImplementedError("Going back means restoring a backup.")
