"""An agent marks a chat as unread, for himself."""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("set local lock_timeout = '3s'")
    op.execute("alter table chat_marks add column unread_at timestamptz")
    with op.get_context().autocommit_block():
        op.execute("""
            create index concurrently if not exists chat_marks_unread on chat_marks (tenant, agent, chat) where unread_at is not null
        """)


def downgrade() -> None:
    raise NotImplementedError("Going back means restoring a backup.")
