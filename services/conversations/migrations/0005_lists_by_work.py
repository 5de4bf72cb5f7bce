"""An index for each way to look at the chats of a team, made while the table is in use."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("""
            create index concurrently if not exists chats_newest_of_status on chats (tenant, status, last_message_at desc, id desc)
        """)
        op.execute("""
            create index concurrently if not exists chats_newest_of_assignee
                on chats (tenant, assignee, status, last_message_at desc, id desc) where assignee is not null
        """)
        op.execute("""
            create index concurrently if not exists chats_newest_of_team
                on chats (tenant, team, status, last_message_at desc, id desc) where team is not null
        """)
        op.execute("""
            create index concurrently if not exists chats_newest_of_nobody
                on chats (tenant, status, last_message_at desc, id desc) where assignee is null
        """)
        op.execute("create index concurrently if not exists chats_queue on chats (tenant, queued_at, id) where queued_at is not null")
        op.execute("create index concurrently if not exists chats_snoozed on chats (snoozed_until) where snoozed_until is not null")


def downgrade() -> None:
    raise NotImplementedError("Going back means restoring a backup.")
