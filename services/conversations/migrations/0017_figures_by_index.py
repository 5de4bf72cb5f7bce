"""The dashboard reads indexes alone where it can, made while the tables are in use."""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("""
            create index concurrently if not exists figure_hours_counts on figure_hours (tenant, hour) include (device, received, sent)
        """)
        op.execute("""
            create index concurrently if not exists figure_chats_active on figure_chats (tenant, day, device, chat)
        """)
        op.execute("""
            create index concurrently if not exists figure_chats_wrote on figure_chats (tenant, day, author, chat) include (device, sent)
                where sent > 0 and author <> '00000000-0000-0000-0000-000000000000'
        """)
        op.execute("""
            create index concurrently if not exists figure_responses_waited
                on figure_responses (tenant, day, author) include (device, asked_at, answered_at)
        """)
        op.execute("""
            create index concurrently if not exists chats_open on chats (tenant, assignee) include (device, waiting_since)
                where status = 'open'
        """)


def downgrade() -> None:
    raise NotImplementedError("Going back means restoring a backup.")
