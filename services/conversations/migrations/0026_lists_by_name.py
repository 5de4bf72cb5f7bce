"""Chats by their contact's name: who is called so, and which of their chats are the newest, is read from indexes alone."""

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("create index concurrently if not exists contacts_called on contacts (tenant, sought, id)")
        op.execute("""
            create index concurrently if not exists chats_newest_of_contact on chats (tenant, contact) include (last_message_at, id)
                where contact is not null
        """)
        # Both can what these could.
        op.execute("drop index concurrently if exists contacts_sought")
        op.execute("drop index concurrently if exists chats_of_contact")


def downgrade() -> None:
    raise NotImplementedError("Going back means restoring a backup.")
