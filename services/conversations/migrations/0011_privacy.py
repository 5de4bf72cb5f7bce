"""How long an account keeps messages and files, who was erased and how far that is, and what was put together of a contact."""

from alembic import op
from servicekit.migrations import tables

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TABLES = ("retention", "released_objects", "erasures", "erasure_parts", "erased_addresses", "exports")


def upgrade() -> None:
    op.execute("set local lock_timeout = '3s'")
    op.execute("""
        create table retention (
            tenant uuid primary key,
            message_days integer check (message_days between 1 and 36500),
            media_days integer check (media_days between 1 and 36500),
            kept_from timestamptz,
            started_at timestamptz,
            ended_at timestamptz,
            messages bigint not null default 0,
            media bigint not null default 0
        )
    """)
    # Objects that nobody may need any more. Who puts one there holds it first; who deletes one claims it before; what is gone is
    # remembered for a while, for a file of the same content that was fetched at the same time.
    op.execute("""
        create table released_objects (
            tenant uuid not null,
            object text not null,
            erasure uuid,
            since timestamptz not null default now(),
            held_until timestamptz,
            claimed_at timestamptz,
            gone_at timestamptz,
            primary key (tenant, object)
        )
    """)
    op.execute("create index released_objects_since on released_objects (since) where gone_at is null")
    op.execute("create index released_objects_gone on released_objects (gone_at) where gone_at is not null")
    op.execute("create index released_objects_erasure on released_objects (tenant, erasure) where erasure is not null and gone_at is null")
    # The dossier says who it is, until all parts are done.
    op.execute("""
        create table erasures (
            tenant uuid not null,
            id uuid not null,
            contact uuid not null,
            contacts uuid[] not null default '{}',
            requested_by uuid not null,
            by_key boolean not null default false,
            requested_at timestamptz not null,
            erased_at timestamptz,
            completed_at timestamptz,
            dossier jsonb,
            leased_until timestamptz,
            primary key (tenant, id)
        )
    """)
    op.execute("create unique index erasures_one on erasures (tenant, contact) where erased_at is null")
    op.execute("create index erasures_contacts on erasures using gin (contacts)")
    op.execute("create index erasures_open on erasures (requested_at) where completed_at is null")
    op.execute("""
        create table erasure_parts (
            tenant uuid not null,
            erasure uuid not null,
            part text not null,
            removed bigint not null default 0,
            done_at timestamptz,
            primary key (tenant, erasure, part)
        )
    """)
    op.execute("""
        create table erased_addresses (
            tenant uuid not null, digest bytea not null, at timestamptz not null,
            primary key (tenant, digest)
        )
    """)
    op.execute("""
        create table exports (
            tenant uuid not null,
            id uuid not null,
            contact uuid not null,
            requested_by uuid not null,
            by_key boolean not null default false,
            requested_at timestamptz not null,
            state text not null default 'waiting' check (state in ('waiting', 'running', 'ready', 'failed', 'expired')),
            messages bigint not null default 0,
            files bigint not null default 0,
            total bigint not null default 0,
            attempts integer not null default 0,
            reason text,
            object text,
            size bigint,
            ended_at timestamptz,
            expires_at timestamptz,
            leased_until timestamptz,
            primary key (tenant, id)
        )
    """)
    op.execute("create index exports_open on exports (requested_at) where state in ('waiting', 'running')")
    op.execute("create index exports_expiring on exports (expires_at) where state = 'ready'")
    op.execute("create index exports_contact on exports (tenant, contact)")
    tables.tenant_named(op, *TABLES)
    tables.system_access(op, "retention", "select")
    tables.system_access(op, "released_objects", "select, insert, update, delete")
    tables.system_access(op, "erasures", "select")
    tables.system_access(op, "exports", "select")
    with op.get_context().autocommit_block():
        op.execute("create index concurrently if not exists media_kept on media (tenant, created_at) where object is not null")
        op.execute("create index concurrently if not exists messages_participant on messages (tenant, participant) where participant <> ''")


def downgrade() -> None:
    raise NotImplementedError("Going back means restoring a backup.")
