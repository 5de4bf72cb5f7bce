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
        op.create_check_constraint(f"{table}_chats", table, "chats in ('all', 'team', 'own')")


def downgrade() -> None:
    raise NotImplementedError("Restore a backup.")
