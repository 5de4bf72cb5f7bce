"""Endpoints, what is to be delivered to them, what became of it, replays, and the names that deliveries need.

Every key begins with the tenant, but for the lanes, which a replica claims whoever's they are.
"""

from alembic import op
from servicekit.migrations import tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = ("endpoints", "lanes", "events", "deliveries", "attempts", "statistics", "replays", "numbers", "people")


def upgrade() -> None:
    op.execute("set local lock_timeout = '3s'")
    op.execute("""
        create table endpoints (
            tenant uuid not null,
            id uuid not null,
            url text not null,
            description text not null,
            types text[] not null,
            devices uuid[],
            format text not null check (format in ('clarin', 'waha')),
            ordered boolean not null,
            rate_per_minute integer,
            concurrency integer not null,
            header_names text[] not null,
            headers bytea,
            secret bytea not null,
            previous_secret bytea,
            previous_until timestamptz,
            state text not null check (state in ('enabled', 'paused', 'disabled')),
            reason text,
            created_by uuid not null,
            created_at timestamptz not null,
            revision integer not null,
            primary key (tenant, id)
        )
    """)
    # One row an endpoint: when something may be due for it, which replica sends, and how it has fared.
    op.execute("""
        create table lanes (
            tenant uuid not null,
            endpoint uuid not null,
            due_at timestamptz not null,
            owner uuid,
            leased_until timestamptz,
            failures integer not null default 0,
            failing_since timestamptz,
            held_until timestamptz,
            warned_at timestamptz,
            primary key (tenant, endpoint)
        ) with (fillfactor = 50)
    """)
    op.execute("create index lanes_due on lanes (due_at)")
    op.execute("create index lanes_owner on lanes (owner) where owner is not null")
    op.execute("""
        create table events (
            tenant uuid not null,
            id uuid not null,
            type text not null,
            device uuid,
            at timestamptz not null,
            data bytea not null,
            kept_at timestamptz not null default now(),
            primary key (tenant, id)
        )
    """)
    op.execute("create index events_kept_at on events (kept_at)")
    op.execute("""
        create table deliveries (
            tenant uuid not null,
            id uuid not null,
            endpoint uuid not null,
            event uuid not null,
            origin uuid not null,
            source text not null check (source in ('event', 'replay', 'test')),
            type text not null,
            device uuid,
            chat text,
            seq bigint generated always as identity,
            state text not null default 'waiting' check (state in ('waiting', 'delivered', 'failed')),
            step integer not null default 0,
            attempts integer not null default 0,
            next_at timestamptz not null,
            made_at timestamptz not null,
            settled_at timestamptz,
            status integer,
            error text,
            primary key (tenant, id)
        )
    """)
    op.execute("create unique index deliveries_once on deliveries (tenant, endpoint, event, origin)")
    op.execute("create index deliveries_due on deliveries (tenant, endpoint, (source = 'replay'), next_at, seq) where state = 'waiting'")
    op.execute("create index deliveries_chat on deliveries (tenant, endpoint, chat, seq) where state = 'waiting' and chat is not null")
    op.execute("create index deliveries_log on deliveries (tenant, endpoint, id)")
    op.execute("create index deliveries_failed on deliveries (tenant, endpoint, id) where state = 'failed'")
    op.execute("create index deliveries_event on deliveries (tenant, event, id)")
    op.execute("create index deliveries_made_at on deliveries (made_at)")
    op.execute("""
        create table attempts (
            tenant uuid not null,
            id uuid not null,
            endpoint uuid not null,
            delivery uuid not null,
            event uuid not null,
            type text not null,
            number integer not null,
            at timestamptz not null,
            status integer,
            error text,
            latency_ms integer not null,
            answer text not null,
            primary key (tenant, id)
        )
    """)
    op.execute("create index attempts_log on attempts (tenant, endpoint, id)")
    op.execute("create index attempts_delivery on attempts (tenant, delivery, id)")
    op.execute("create index attempts_event on attempts (tenant, event, id)")
    op.execute("create index attempts_at on attempts (at)")
    op.execute("""
        create table statistics (
            tenant uuid not null,
            endpoint uuid not null,
            hour timestamptz not null,
            delivered integer not null,
            failed integer not null,
            latency_ms bigint not null,
            slowest_ms integer not null,
            primary key (tenant, endpoint, hour)
        )
    """)
    op.execute("create index statistics_hour on statistics (hour)")
    op.execute("""
        create table replays (
            tenant uuid not null,
            id uuid not null,
            endpoint uuid not null,
            since timestamptz not null,
            until timestamptz not null,
            types text[] not null,
            devices uuid[],
            state text not null check (state in ('waiting', 'running', 'done', 'failed', 'cancelled')),
            error text,
            stream text,
            first bigint,
            reached bigint,
            last bigint,
            found integer not null default 0,
            created_by uuid not null,
            created_at timestamptz not null,
            ended_at timestamptz,
            leased_until timestamptz,
            primary key (tenant, id)
        )
    """)
    op.execute("create index replays_log on replays (tenant, endpoint, id)")
    op.execute("create index replays_open on replays (created_at) where state in ('waiting', 'running')")
    op.execute("create unique index replays_one on replays (tenant, endpoint) where state in ('waiting', 'running')")
    # Of others' facts as much as WAHA's shape needs.
    op.execute("""
        create table numbers (
            tenant uuid not null, id uuid not null, name text not null, phone text, revision bigint not null,
            primary key (tenant, id)
        )
    """)
    op.execute("""
        create table people (
            tenant uuid not null, id uuid not null, phone text, at timestamptz not null,
            primary key (tenant, id)
        )
    """)
    op.execute("""
        create table threads (
            tenant uuid not null, chat text not null, contact uuid not null,
            primary key (tenant, chat)
        )
    """)
    tables.tenant_named(op, *TABLES, "threads")
    # What is old goes, whoever's it is; lanes and replays are claimed.
    for table in ("events", "deliveries", "attempts", "statistics"):
        tables.system_access(op, table, "select, delete")
    tables.system_access(op, "lanes", "select, update (owner, leased_until)")
    tables.system_access(op, "replays", "select, update (leased_until), delete")
    tables.system_access(op, "endpoints", "select, update (secret, previous_secret, headers)")
    tables.outbox(op)
    tables.idempotency(op)


def downgrade() -> None:
    raise NotImplementedError("Going back means restoring a backup.")
