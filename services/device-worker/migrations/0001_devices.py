"""Devices, their pairings, the queue of sends, and who may write for which shard."""

from alembic import op
from servicekit.migrations import tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute("set local lock_timeout = '3s'")
    op.execute(
        """
        create table devices (
            tenant uuid not null,
            id uuid not null,
            shard smallint not null check (shard between 0 and 127),
            name text not null,
            state text not null,
            wanted text not null,
            reason text,
            action text,
            until timestamptz,
            jid text,
            phone text,
            lid text,
            revision bigint not null,
            created_at timestamptz not null,
            changed_at timestamptz not null,
            primary key (tenant, id)
        )
        """
    )
    op.execute("create index devices_shard on devices (shard, changed_at desc)")
    tables.tenant_rls(op, "devices")
    tables.system_access(op, "devices", "select, update, delete")

    op.execute(
        """
        create table pairings (
            tenant uuid not null,
            device uuid not null,
            qr text,
            qr_expires_at timestamptz,
            phone text,
            code text,
            code_expires_at timestamptz,
            code_error text,
            primary key (tenant, device),
            foreign key (tenant, device) references devices (tenant, id) on delete cascade
        )
        """
    )
    tables.tenant_rls(op, "pairings")
    tables.system_access(op, "pairings", "select, insert, update, delete")

    op.execute(
        """
        create table sends (
            tenant uuid not null,
            id uuid not null,
            seq bigint not null generated always as identity,
            device uuid not null,
            shard smallint not null,
            kind text not null check (kind in ('message', 'read')),
            status text not null check (status in ('queued', 'sending', 'sent', 'failed', 'unknown')),
            payload bytea not null,
            fence bigint,
            attempts int not null default 0,
            not_before timestamptz,
            expires_at timestamptz not null,
            wa_id text,
            reason text,
            made_at timestamptz not null default now(),
            changed_at timestamptz not null default now(),
            primary key (tenant, id)
        )
        """
    )
    op.execute("create index sends_waiting on sends (shard, device, seq) where status in ('queued', 'sending')")
    op.execute("create index sends_done on sends (changed_at) where status not in ('queued', 'sending')")
    tables.tenant_rls(op, "sends")
    tables.system_access(op, "sends", "select, update, delete")

    # No tenant: who holds a shard. Written by the system role alone, which nothing but a worker uses.
    op.execute(
        "create table shards (shard smallint primary key check (shard between 0 and 127), fence bigint not null, worker text not null)"
    )
    op.execute("alter table shards enable row level security")
    op.execute("alter table shards force row level security")
    tables.system_access(op, "shards", "select, insert, update")

    tables.outbox(op)
    tables.idempotency(op)


def downgrade() -> None:
    for table in ("idempotency", "outbox", "shards", "sends", "pairings", "devices"):
        op.execute(f"drop table {table}")
