"""How it stands with each blocked contact on WhatsApp itself, number by number."""

from alembic import op
from servicekit.migrations import tables

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("set local lock_timeout = '3s'")
    # *id* is what the device-workers know it by: it stays when the contact turns out to be another.
    op.execute("""
        create table contact_blocks (
            tenant uuid not null,
            contact uuid not null,
            device uuid not null,
            id uuid not null,
            blocked boolean not null,
            revision bigint not null,
            state text not null check (state in ('pending', 'done', 'failed')),
            reason text,
            by_phone boolean not null default false,
            at timestamptz not null,
            primary key (tenant, contact, device),
            unique (tenant, id)
        )
    """)
    op.execute("create index contact_blocks_device on contact_blocks (tenant, device)")
    tables.tenant_named(op, "contact_blocks")


def downgrade() -> None:
    raise NotImplementedError("Going back means restoring a backup.")
