from alembic import op
from servicekit.migrations import tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    tables.outbox(op)
    tables.inbox(op)
