"""Lists of contacts on their way in, an address of mail, and who is blocked."""

from alembic import op
from servicekit.migrations import tables

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

TABLES = ("imports", "import_refusals", "import_phones")


def upgrade() -> None:
    op.execute("set local lock_timeout = '3s'")
    op.execute('alter table contacts add column email text collate "C", add column blocked_at timestamptz')
    op.execute("""
        create table imports (
            tenant uuid not null,
            id uuid not null,
            author uuid not null,
            by_key boolean not null default false,
            file_name text,
            object text,
            sheet jsonb not null,
            mapping jsonb,
            state text not null,
            place integer not null default 0,
            counts jsonb not null default '{}',
            reason text,
            detail text,
            created_at timestamptz not null default now(),
            finished_at timestamptz,
            told_at timestamptz,
            claimed_until timestamptz,
            primary key (tenant, id)
        )
    """)
    op.execute("create index imports_at_work on imports (claimed_until) where state in ('checking', 'running')")
    op.execute("create index imports_created_at on imports (created_at)")
    # What was refused, with the cells as they stood: the file of errors.
    op.execute("""
        create table import_refusals (
            tenant uuid not null,
            import uuid not null,
            place integer not null,
            why text not null,
            "column" integer,
            cells jsonb not null,
            primary key (tenant, import, place)
        )
    """)
    # Whose row has come: a second one of the same phone is told from the first, wherever the work was broken off.
    op.execute("""
        create table import_phones (
            tenant uuid not null, import uuid not null, phone text collate "C" not null,
            primary key (tenant, import, phone)
        )
    """)
    tables.tenant_named(op, *TABLES)
    tables.system_access(op, "imports", "select, delete")
    tables.system_access(op, "import_refusals", "select, delete")
    tables.system_access(op, "import_phones", "select, delete")


def downgrade() -> None:
    raise NotImplementedError("Going back means restoring a backup.")
