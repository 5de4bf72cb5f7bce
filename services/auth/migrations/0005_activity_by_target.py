"""What was done to something is found by its id."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("create index concurrently if not exists activity_by_target on activity (tenant, target, at, id)")
        op.execute("create index concurrently if not exists activity_by_kind on activity (tenant, actor_kind, at, id)")


def downgrade() -> None:
    raise NotImplementedError("Restore a backup.")
