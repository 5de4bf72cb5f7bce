"""Indexes for the addresses of mail and for the few who are blocked, made while the table is in use."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("create index concurrently if not exists contacts_email on contacts (tenant, email) where email is not null")
        op.execute("create index concurrently if not exists contacts_blocked on contacts (tenant, id) where blocked_at is not null")


def downgrade() -> None:
    raise NotImplementedError("Going back means restoring a backup.")
