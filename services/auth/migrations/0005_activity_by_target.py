"""What was done to something is found by its id."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("activity_by_target", "activity", ["tenant", "target", "at", "id"])
    op.create_index("activity_by_kind", "activity", ["tenant", "actor_kind", "at", "id"])


def downgrade() -> None:
    raise NotImplementedError("Restore a backup.")
