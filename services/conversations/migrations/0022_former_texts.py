"""What messages said before they were changed."""

from alembic import op
from servicekit.migrations import tables

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("set local lock_timeout = '3s'")
    # The id is made of the time and the text, so that what is heard twice is kept once.
    op.execute("""
        create table former_texts (
            tenant uuid not null,
            message uuid not null,
            id uuid not null,
            at timestamptz not null,
            text text not null,
            primary key (tenant, message, id)
        )
    """)
    tables.tenant_named(op, "former_texts")


def downgrade() -> None:
    raise NotImplementedError("Going back means restoring a backup.")
