"""Which chats somebody sees, besides which numbers."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("access", "account_invitations"):
        op.add_column(table, sa.Column("chats", sa.Text, nullable=False, server_default="all"))
        op.execute(f"alter table {table} add constraint {table}_chats check (chats in ('all', 'team', 'own')) not valid")
        op.execute(f"alter table {table} validate constraint {table}_chats")


def downgrade() -> None:
    raise NotImplementedError("Restore a backup.")
