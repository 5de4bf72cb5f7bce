"""Chats that turned out to be another one."""

from alembic import op
from servicekit.migrations import tables

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("set local lock_timeout = '3s'")
    op.execute("create table chat_redirects (tenant uuid not null, old uuid not null, new uuid not null, primary key (tenant, old))")
    op.execute("create index chat_redirects_new on chat_redirects (tenant, new)")
    tables.tenant_named(op, "chat_redirects")
    with op.get_context().autocommit_block():
        op.execute("create index concurrently if not exists contact_redirects_new on contact_redirects (tenant, new)")


def downgrade() -> None:
    raise NotImplementedError("Going back means restoring a backup.")
