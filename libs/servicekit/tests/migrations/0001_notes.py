from alembic import op
from servicekit.migrations import tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute("create table notes (tenant uuid not null, id uuid not null, text text not null, primary key (tenant, id))")
    tables.tenant_rls(op, "notes")
    op.execute("create table letters (tenant uuid not null, id uuid not null, primary key (tenant, id))")
    tables.tenant_rls(op, "letters")
    tables.system_access(op, "letters", "select, update")
    tables.outbox(op)
    tables.inbox(op)
    tables.idempotency(op)
    tables.extension(op, "pg_trgm")
    tables.leakproof(op, "pg_catalog.ts_match_vq(tsvector, tsquery)")
