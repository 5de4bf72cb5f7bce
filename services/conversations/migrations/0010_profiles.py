"""What a team knows of a contact: its state, tags, fields of the account's own, notes."""

from alembic import op
from servicekit.migrations import tables

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TABLES = ("contact_settings", "profiles", "contact_tags", "contact_notes")


def upgrade() -> None:
    op.execute("set local lock_timeout = '3s'")
    op.execute("create table contact_settings (tenant uuid primary key, states jsonb, fields jsonb)")
    op.execute("""
        create table profiles (
            tenant uuid not null,
            contact uuid not null,
            state uuid,
            fields jsonb not null default '{}',
            primary key (tenant, contact)
        )
    """)
    op.execute("create index profiles_state on profiles (tenant, state, contact desc) where state is not null")
    op.execute("""
        create table contact_tags (
            tenant uuid not null, contact uuid not null, tag uuid not null,
            primary key (tenant, contact, tag)
        )
    """)
    op.execute("create index contact_tags_tag on contact_tags (tenant, tag, contact desc)")
    op.execute("""
        create table contact_notes (
            tenant uuid not null,
            id uuid not null,
            contact uuid not null,
            author uuid not null,
            by_key boolean not null default false,
            text text not null,
            created_at timestamptz not null default now(),
            primary key (tenant, id)
        )
    """)
    op.execute("create index contact_notes_contact on contact_notes (tenant, contact, id desc)")
    tables.tenant_named(op, *TABLES)


def downgrade() -> None:
    raise NotImplementedError("Going back means restoring a backup.")
