from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("create index concurrently notes_text on notes using gin (text gin_trgm_ops)")
